"""The topics of each kind of record, in their order, with their labels: the table of the requirements."""

import pytest

from mailgate.domain.record import Edition, RecordKind
from mailgate.domain.topic import TOPIC_OTHER, check_topic, label, topics
from mailgate.domain.user import Language
from mailgate.errors import BadInput

CLIENT = """
    customer_acquisition | Kundengewinnung | Customer acquisition | Acquisition de clients | Acquisizione clienti
    customer_care        | Kundenpflege    | Customer care        | Suivi de la clientèle  | Cura del cliente
    negotiation          | Verhandlung     | Negotiation          | Négociation            | Trattativa
    other                | Sonstiges       | Other                | Autre                  | Altro
"""

PAGE = {
    "customer": CLIENT,
    "lead": CLIENT,
    "contact": CLIENT,
    "opportunity": """
        rejection     | Absage         | Rejected      | Refus         | Rifiuto
        offer         | Angebot        | Offer         | Offre         | Offerta
        qualification | Qualifizierung | Qualification | Qualification | Qualificazione
        negotiation   | Verhandlung    | Negotiation   | Négociation   | Trattativa
        commitment    | Zusage         | Approved      | Accord        | Conferma
        other         | Sonstiges      | Other         | Autre         | Altro
    """,
    "campaign": """
        billing      | Abrechnung         | Billing                 | Facturation            | Fatturazione
        cancellation | Absage (abgelehnt) | Cancellation (rejected) | Annulation (refusée)   | Annullamento (rifiutato)
        offer        | Angebot            | Offer                   | Offre                  | Offerta
        approval     | Freigabe           | Approval                | Validation             | Approvazione
        monitoring   | Monitoring         | Monitoring              | Monitoring             | Monitoring
        complaint    | Reklamation        | Complaint               | Réclamation            | Reclamo
        reporting    | Reporting          | Reporting               | Reporting              | Reporting
        reservation  | Reservation        | Reservation             | Réservation            | Prenotazione
        screenshots  | Screenshots        | Screenshots             | Screenshots            | Screenshots
        creatives    | Werbemittel        | Advertising material    | Supports publicitaires | Materiale pubblicitario
        other        | Sonstiges          | Other                   | Autre                  | Altro
    """,
    "deal_group": """
        deal_sheet     | Deal Sheet       | Deal Sheet     | Deal Sheet              | Deal Sheet
        monitoring     | Monitoring       | Monitoring     | Monitoring              | Monitoring
        new_deal_group | Neue Deal Gruppe | New deal group | Nouveau groupe de deals | Nuovo gruppo di deal
        other          | Sonstiges        | Other          | Autre                   | Altro
    """,
    "publisher_contract": """
        payout      | Payout        | Payout       | Payout       | Payout
        negotiation | Verhandlungen | Negotiations | Négociations | Trattative
        other       | Sonstiges     | Other        | Autre        | Altro
    """,
}


def rows(kind: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in PAGE[kind].strip().splitlines()]


def test_the_page_has_every_kind() -> None:
    assert list(PAGE) == [kind.value for kind in RecordKind]


@pytest.mark.parametrize("kind", PAGE)
def test_a_kind_has_the_topics_of_the_page_with_their_labels_in_order(kind: str) -> None:
    record = RecordKind(kind)
    said = [[topic, *(label(record, topic, language) for language in Language)] for topic in topics(record)]
    assert said == rows(kind)


@pytest.mark.parametrize("kind", RecordKind)
@pytest.mark.parametrize("edition", [Edition.MARKETER, Edition.MARKETER_LIGHT])
def test_a_topic_is_taken_on_its_kinds_and_refused_by_name_on_all_others(kind: RecordKind, edition: Edition) -> None:
    own = [row[0] for row in rows(kind)]
    foreign = {row[0] for other in PAGE for row in rows(other)} - set(own)
    assert [check_topic(kind, topic, edition) for topic in own] == own
    assert foreign
    for topic in foreign:
        with pytest.raises(BadInput) as refusal:
            check_topic(kind, topic, edition)
        for said in (f"topic {topic!r}", kind.value, ", ".join(own)):
            assert said in str(refusal.value)


def test_every_kind_has_other() -> None:
    assert [check_topic(kind, TOPIC_OTHER, Edition.MARKETER) for kind in RecordKind] == ["other"] * len(RecordKind)


@pytest.mark.parametrize("topic", ["", " other", "Other", "Sonstiges", "negotiations", "other\n"])
def test_what_is_no_topic_at_all_is_refused(topic: str) -> None:
    for kind in RecordKind:
        with pytest.raises(BadInput, match=r"^topic "):
            check_topic(kind, topic, Edition.MARKETER)
        with pytest.raises(BadInput, match=r"^topic "):
            label(kind, topic, Language.DE)


@pytest.mark.parametrize("topic", ["payout", "negotiation", "other", "no-such-topic"])
def test_the_edition_publisher_has_no_topics_of_publisher_contracts(topic: str) -> None:
    with pytest.raises(BadInput, match=r"publisher_contract: .* edition publisher \(instance.edition\)"):
        check_topic(RecordKind.PUBLISHER_CONTRACT, topic, Edition.PUBLISHER)


def test_the_edition_publisher_has_all_other_topics() -> None:
    for kind in set(RecordKind) - {RecordKind.PUBLISHER_CONTRACT}:
        assert [check_topic(kind, topic, Edition.PUBLISHER) for topic in topics(kind)] == [row[0] for row in rows(kind)]
