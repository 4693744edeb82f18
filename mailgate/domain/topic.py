"""Topics: what an activity is about. Which ones may be chosen depends on the kind of record.

Every kind has ``other``, which a logged mail gets. Each topic has a label in the four languages; a key may read
otherwise on another kind (a publisher contract has negotiations, not a negotiation). Refuses with ``BadInput`` a topic
that the kind doesn't have, and a kind that the edition doesn't have.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mailgate.domain.record import Edition, RecordKind, exists_in
from mailgate.domain.user import Language
from mailgate.errors import BadInput


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the table has it: its key, and what people read."""

    key: str
    de: str
    en: str
    fr: str
    it: str


def _everywhere(key: str, text: str) -> Topic:
    return Topic(key, text, text, text, text)


TOPIC_OTHER = "other"

# those that stand on several kinds
_MONITORING = _everywhere("monitoring", "Monitoring")
_NEGOTIATION = Topic("negotiation", "Verhandlung", "Negotiation", "Négociation", "Trattativa")
_OFFER = Topic("offer", "Angebot", "Offer", "Offre", "Offerta")
_OTHER = Topic(TOPIC_OTHER, "Sonstiges", "Other", "Autre", "Altro")

_CLIENT = (
    Topic(
        "customer_acquisition",
        "Kundengewinnung",
        "Customer acquisition",
        "Acquisition de clients",
        "Acquisizione clienti",
    ),
    Topic("customer_care", "Kundenpflege", "Customer care", "Suivi de la clientèle", "Cura del cliente"),
    _NEGOTIATION,
    _OTHER,
)

# in the order that people choose from
TOPICS: Mapping[RecordKind, tuple[Topic, ...]] = {
    RecordKind.CUSTOMER: _CLIENT,
    RecordKind.LEAD: _CLIENT,
    RecordKind.CONTACT: _CLIENT,
    RecordKind.OPPORTUNITY: (
        Topic("rejection", "Absage", "Rejected", "Refus", "Rifiuto"),
        _OFFER,
        Topic("qualification", "Qualifizierung", "Qualification", "Qualification", "Qualificazione"),
        _NEGOTIATION,
        Topic("commitment", "Zusage", "Approved", "Accord", "Conferma"),
        _OTHER,
    ),
    RecordKind.CAMPAIGN: (
        Topic("billing", "Abrechnung", "Billing", "Facturation", "Fatturazione"),
        Topic(
            "cancellation",
            "Absage (abgelehnt)",
            "Cancellation (rejected)",
            "Annulation (refusée)",
            "Annullamento (rifiutato)",
        ),
        _OFFER,
        Topic("approval", "Freigabe", "Approval", "Validation", "Approvazione"),
        _MONITORING,
        Topic("complaint", "Reklamation", "Complaint", "Réclamation", "Reclamo"),
        _everywhere("reporting", "Reporting"),
        Topic("reservation", "Reservation", "Reservation", "Réservation", "Prenotazione"),
        _everywhere("screenshots", "Screenshots"),
        Topic("creatives", "Werbemittel", "Advertising material", "Supports publicitaires", "Materiale pubblicitario"),
        _OTHER,
    ),
    RecordKind.DEAL_GROUP: (
        _everywhere("deal_sheet", "Deal Sheet"),
        _MONITORING,
        Topic(
            "new_deal_group", "Neue Deal Gruppe", "New deal group", "Nouveau groupe de deals", "Nuovo gruppo di deal"
        ),
        _OTHER,
    ),
    RecordKind.PUBLISHER_CONTRACT: (
        _everywhere("payout", "Payout"),
        Topic("negotiation", "Verhandlungen", "Negotiations", "Négociations", "Trattative"),
        _OTHER,
    ),
}


def topics(kind: RecordKind) -> tuple[str, ...]:
    """Name the topics that an activity on this kind of record may have, in the order that people choose from."""
    return tuple(topic.key for topic in TOPICS[kind])


def label(kind: RecordKind, topic: str, language: Language) -> str:
    """Say what people read for a topic on this kind of record; ``BadInput`` where the kind doesn't have it."""
    one = _find(kind, topic)
    return {Language.DE: one.de, Language.EN: one.en, Language.FR: one.fr, Language.IT: one.it}[language]


def check_topic(kind: RecordKind, topic: str, edition: Edition) -> str:
    """Give the topic back; ``BadInput`` where the edition lacks the kind, or the kind the topic."""
    if not exists_in(kind, edition):
        raise BadInput(
            f"{kind.value}: there are no publisher contracts in the edition {edition.value} (instance.edition)"
        )
    return _find(kind, topic).key


def _find(kind: RecordKind, topic: str) -> Topic:
    for one in TOPICS[kind]:
        if one.key == topic:
            return one
    raise BadInput(f"topic {topic[:80]!r} is not for {kind.value}: choose one of {', '.join(topics(kind))}")
