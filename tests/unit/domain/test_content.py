from mailgate.domain.content import Content, in_order, joined
from mailgate.domain.user import Language

DE, EN, FR, IT = Language.DE, Language.EN, Language.FR, Language.IT


def four(**one: str) -> dict[Language, Content]:
    """The same fields in every language, each marked with it; handed over in another order than they are shown."""
    return {
        code: Content(**{field: f"{value} {code.value}" for field, value in one.items()}) for code in (IT, DE, FR, EN)
    }


def test_four_languages_stand_in_the_order_de_en_fr_it() -> None:
    assert list(in_order(four(subject="Rechnung"))) == [DE, EN, FR, IT]


def test_each_language_stands_under_its_own_name() -> None:
    assert joined(four(text="Wort")).text == (
        "Deutsch\n\nWort de\n\nEnglish\n\nWort en\n\nFrançais\n\nWort fr\n\nItaliano\n\nWort it"
    )
    assert joined(four(text="Wort", html="<p>Wort</p>")).html == (
        "<h2>Deutsch</h2>\n<p>Wort</p> de\n<h2>English</h2>\n<p>Wort</p> en\n"
        "<h2>Français</h2>\n<p>Wort</p> fr\n<h2>Italiano</h2>\n<p>Wort</p> it"
    )


def test_subjects_are_joined_and_none_is_said_twice() -> None:
    subjects = {DE: "Reporting", EN: "Reporting", FR: "Rapport", IT: ""}
    assert joined({code: Content(subject) for code, subject in subjects.items()}).subject == "Reporting / Rapport"


def test_one_language_stays_as_it_is() -> None:
    only = Content("Relevé", "Texte", "<p>Texte</p>")
    assert joined({FR: only}) == only


def test_a_language_without_html_is_shown_by_its_text_where_others_have_html() -> None:
    mixed = {DE: Content("a", "1 < 2\nja"), EN: Content("a", "yes", "<b>yes</b>"), IT: Content("a")}
    assert joined(mixed).html == "<h2>Deutsch</h2>\n<p>1 &lt; 2<br>ja</p>\n<h2>English</h2>\n<b>yes</b>"


def test_without_any_html_there_is_none() -> None:
    assert joined(four(subject="a", text="b")).html == ""
