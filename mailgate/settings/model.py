"""The settings as frozen models, in the order of ``config/mailgate.toml``; every key with its default.

Values are in their one spelling: sizes in bytes, domains as A-labels in lower case, networks without host bits.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mailgate.settings import values

KeyPath = tuple[str, ...]

Count = Annotated[int, BeforeValidator(values.whole(1, 1_000_000))]
Days = Annotated[int, BeforeValidator(values.whole(1, 36_500))]
Seconds = Annotated[int, BeforeValidator(values.whole(1, 86_400))]
Port = Annotated[int, BeforeValidator(values.whole(1, 65_535))]
Size = Annotated[int, BeforeValidator(values.size)]
Domain = Annotated[str, AfterValidator(values.fold_domain)]
Address = Annotated[str, AfterValidator(values.fold_address)]
Listen = Annotated[str, AfterValidator(values.listen)]
File = Annotated[Path | None, BeforeValidator(values.no_path), AfterValidator(values.readable)]


class Store(BaseModel, frozen=True, extra="forbid"):
    """Where everything is kept. ``url`` may hold a password: ``printable`` masks it, ``repr`` leaves it out."""

    url: Annotated[str, AfterValidator(values.store_url)] = Field(repr=False)
    allow_unsafe: bool = False


class Smtp(BaseModel, frozen=True, extra="forbid"):
    """The SMTP listener, and what holds for LMTP too: all caps and deadlines."""

    listen: Listen = "127.0.0.1:8025"
    max_size: Size = 50 * 2**20
    max_header_size: Size = 4 * 2**20
    max_recipients: Count = 100
    max_connections: Count = 500
    max_connections_per_peer: Count = 100
    bytes_in_flight: Size = 2**30
    command_seconds: Seconds = 300  # RFC 5321 4.5.3.2.7
    data_seconds: Seconds = 600
    drain_seconds: Seconds = 30
    tls_cert: File = None
    tls_key: File = None
    tls_client_ca: File = None
    workers: Annotated[int, BeforeValidator(values.whole(0, 200))] = 0  # 0: as many as fit the store


class Lmtp(BaseModel, frozen=True, extra="forbid"):
    """The LMTP listener; off when empty."""

    listen: Annotated[str, AfterValidator(values.listen_lmtp)] = ""


class Metrics(BaseModel, frozen=True, extra="forbid"):
    """Metrics and health; off when empty."""

    listen: Listen = "127.0.0.1:9925"


class Addresses(BaseModel, frozen=True, extra="forbid"):
    """The record addresses."""

    domain: Annotated[str, AfterValidator(values.host_name)] = "log.localhost"


class Activities(BaseModel, frozen=True, extra="forbid"):
    """What people make by hand."""

    max_document_size: Size = 25 * 2**20


class Relay(BaseModel, frozen=True, extra="forbid"):
    """A mail server that may hand us mail. Which kind of proof counts has no default: it must be said."""

    name: Annotated[str, AfterValidator(values.relay_name)]
    networks: Annotated[tuple[Annotated[str, AfterValidator(values.network)], ...], Field(min_length=1)]
    trust: Literal["vouched", "stamped", "verified"]
    # vouched
    envelope_must_match: bool = True
    login: Literal["", "received"] = ""
    client_certificates: tuple[Annotated[str, AfterValidator(values.host_name)], ...] = ()
    # stamped
    authserv_id: Annotated[str, AfterValidator(values.authserv_id)] = ""
    received: Annotated[int | None, BeforeValidator(values.optional_whole(0, 50))] = None
    stamp: Literal["", "above", "below"] = ""
    # stamped and verified
    sealers: tuple[Domain, ...] = ()
    # verified
    proxies: tuple[Annotated[str, AfterValidator(values.network)], ...] = ()
    # how long it tries again what was put off: for `user pending`
    queue_days: Days = 5


class Replies(BaseModel, frozen=True, extra="forbid"):
    """What refusals say besides their fixed texts."""

    help_url: Annotated[str, AfterValidator(values.help_url)] = ""


class Pair(BaseModel, frozen=True, extra="forbid"):
    """``envelope`` may send as ``author``; both folded."""

    envelope: Address
    author: Address


class Senders(BaseModel, frozen=True, extra="forbid"):
    """The company's own domains, and who may send as whom."""

    domains: tuple[Domain, ...] = ()
    wait: bool = True
    pairs: tuple[Pair, ...] = ()


class Dns(BaseModel, frozen=True, extra="forbid"):
    """Name servers; empty means the system's."""

    servers: tuple[Annotated[str, AfterValidator(values.name_server)], ...] = ()
    timeout_seconds: Seconds = 5


class OutboundSmtp(BaseModel, frozen=True, extra="forbid"):
    """The company's mail server for mail of our own; off while ``host`` is empty."""

    host: Annotated[str, AfterValidator(values.optional_host)] = ""
    port: Port = 587
    starttls: bool = True
    username: str = ""
    password_file: File = None
    from_: Annotated[str, AfterValidator(values.optional_address)] = Field(default="", alias="from")


class Outbound(BaseModel, frozen=True, extra="forbid"):
    """What mailgate sends by itself."""

    smtp: OutboundSmtp = OutboundSmtp()


class Instance(BaseModel, frozen=True, extra="forbid"):
    """What this installation is."""

    language: Literal["de", "en", "fr", "it"] = "en"
    edition: Literal["publisher", "marketer", "marketer_light"] = "publisher"
    timezone: Annotated[str, AfterValidator(values.timezone)] = "UTC"


class Retention(BaseModel, frozen=True, extra="forbid"):
    """How long what isn't an activity is kept, in days."""

    ledger_days: Days = 400
    refused_days: Days = 30
    pending_days: Days = 30
    deleted_days: Days = 30


class Settings(BaseSettings):
    """All settings; made by ``load`` only, which knows the defaults of ``data_dir`` and ``store.url``."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    data_dir: Annotated[Path, BeforeValidator(values.directory)]
    soft_refuse: bool = False
    store: Store
    smtp: Smtp = Smtp()
    lmtp: Lmtp = Lmtp()
    metrics: Metrics = Metrics()
    addresses: Addresses = Addresses()
    activities: Activities = Activities()
    replies: Replies = Replies()
    senders: Senders = Senders()
    dns: Dns = Dns()
    outbound: Outbound = Outbound()
    instance: Instance = Instance()
    retention: Retention = Retention()
    relays: Annotated[tuple[Relay, ...], Field(min_length=1)] = (
        Relay(name="local", networks=("127.0.0.0/8", "::1/128", "unix"), trust="vouched"),
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what ``load`` hands over: the library's own sources pass over variables that name no setting."""
        return (init_settings,)


def keys() -> dict[KeyPath, bool]:
    """Give the path of every setting, and whether it is a list (JSON in the environment)."""
    return dict(_keys(Settings, ()))


def _keys(model: type[BaseModel], above: KeyPath) -> Iterator[tuple[KeyPath, bool]]:
    for name, field in model.model_fields.items():
        path = (*above, field.alias or name)
        if section := section_of(field.annotation):
            yield from _keys(section, path)
        else:
            yield path, get_origin(field.annotation) is tuple


def section_of(annotation: object) -> type[BaseModel] | None:
    """Give the model of a section, or ``None`` for a key."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
