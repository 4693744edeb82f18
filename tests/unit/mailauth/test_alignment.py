"""Which domains are of the same organisation."""

import pytest

from mailgate.mailauth.alignment import aligned, organisational_domain

RELAXED, STRICT = False, True


@pytest.mark.parametrize(
    ("domain", "organisation"),
    [
        ("muster.example", "muster.example"),
        ("mail.muster.example", "muster.example"),
        ("a.b.c.muster.co.uk", "muster.co.uk"),
        ("MUSTER.Co.Uk.", "muster.co.uk"),
        ("anna.github.io", "anna.github.io"),
        ("x.anna.github.io", "anna.github.io"),
        ("my-company.ch", "my-company.ch"),
        ("post.my-company.ch", "my-company.ch"),
        ("münchen.de", "xn--mnchen-3ya.de"),
        ("post.XN--MNCHEN-3YA.de", "xn--mnchen-3ya.de"),
        ("www.城.公司.cn", "xn--uis.xn--55qx5d.cn"),  # 公司.cn is a suffix, as U-labels and as A-labels
        ("www.city.kobe.jp", "city.kobe.jp"),  # an exception of the list
        ("a.b.ck", "a.b.ck"),  # a wildcard of the list
        ("co.uk", ""),
        ("github.io", ""),
        ("b.ck", ""),
        ("test", ""),
        ("localhost", ""),
        ("", ""),
        (".", ""),
        ("a..example", ""),
        (".muster.example", ""),
        ("muster.example..", ""),
        ("[192.0.2.1]", ""),
        ("[IPv6:2001:db8::1]", ""),
        ("mus\0ter.example", ""),
        ("mus ter.example", ""),
        ("x" * 300 + ".example", ""),
    ],
)
def test_the_organisation_is_one_label_below_the_public_suffix(domain: str, organisation: str) -> None:
    assert organisational_domain(domain) == organisation


@pytest.mark.parametrize(
    ("author", "other", "strict", "expected"),
    [
        # case 45
        ("legit.example", "attack.example", RELAXED, False),
        ("legit.co.uk", "co.uk", RELAXED, False),
        ("legit.co.uk", "attack.co.uk", RELAXED, False),
        ("anna.github.io", "mallory.github.io", RELAXED, False),
        ("anna.github.io", "github.io", RELAXED, False),
        ("co.uk", "co.uk", RELAXED, False),
        ("github.io", "github.io", STRICT, False),
        ("test", "test", RELAXED, False),
        ("legit.example", "nonexist.legit.example", RELAXED, True),
        ("legit.example", "nonexist.legit.example", STRICT, False),
        # relaxed and strict
        ("legit.example", "legit.example", STRICT, True),
        ("legit.example", "LEGIT.Example.", STRICT, True),
        ("mail.legit.example", "legit.example", RELAXED, True),
        ("mail.legit.example", "legit.example", STRICT, False),
        ("mail.legit.example", "news.legit.example", RELAXED, True),
        # labels, not text
        ("my-company.ch", "my-company.ch", STRICT, True),
        ("my-company.ch", "company.ch", RELAXED, False),
        ("my-company.ch", "my.ch", RELAXED, False),
        ("my-company.ch", "my", RELAXED, False),
        ("company.ch", "my-company.ch", RELAXED, False),
        ("company.ch", "notcompany.ch", RELAXED, False),
        ("company.ch", "company.ch.attack.example", RELAXED, False),
        ("company.ch", "company.ch-attack.example", RELAXED, False),
        ("company.ch", "xcompany.ch", RELAXED, False),
        # one spelling
        ("münchen.de", "xn--mnchen-3ya.de", STRICT, True),
        ("münchen.de", "MÜNCHEN.DE", STRICT, True),
        ("münchen.de", "munchen.de", RELAXED, False),
        ("straße.de", "strasse.de", RELAXED, False),
        ("\u0440\u0430ypal.example", "paypal.example", RELAXED, False),  # Cyrillic
        # no domains
        ("", "", RELAXED, False),
        ("legit.example", "", RELAXED, False),
        ("", "legit.example", RELAXED, False),
        ("legit.example", "legit.example\0", RELAXED, False),
        ("legit.example", " legit.example", RELAXED, False),
        ("[192.0.2.1]", "[192.0.2.1]", RELAXED, False),
    ],
)
def test_domains_of_one_organisation_are_aligned(author: str, other: str, strict: bool, expected: bool) -> None:
    assert aligned(author, other, strict=strict) is expected
