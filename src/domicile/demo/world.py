"""Where the made-up people live: 40 countries, how many of the people, and Faker's locale."""

from __future__ import annotations

from typing import NamedTuple


class Country(NamedTuple):
    """A country with its share of the people, in parts of the sum of all."""

    code: str  # ISO 3166-1 alpha-2
    name: str
    share: int
    locale: str  # whose names and streets Faker makes


COUNTRIES = (
    Country("US", "United States", 220, "en_US"),
    Country("ID", "Indonesia", 90, "id_ID"),
    Country("BR", "Brazil", 85, "pt_BR"),
    Country("MX", "Mexico", 60, "es_MX"),
    Country("VN", "Vietnam", 50, "vi_VN"),
    Country("PH", "Philippines", 45, "en_PH"),
    Country("GB", "United Kingdom", 40, "en_GB"),
    Country("TR", "Türkiye", 35, "tr_TR"),
    Country("TH", "Thailand", 35, "th_TH"),
    Country("JP", "Japan", 30, "ja_JP"),
    Country("DE", "Germany", 30, "de_DE"),
    Country("FR", "France", 28, "fr_FR"),
    Country("NL", "Netherlands", 25, "nl_NL"),
    Country("IT", "Italy", 22, "it_IT"),
    Country("ES", "Spain", 22, "es_ES"),
    Country("CA", "Canada", 20, "en_CA"),
    Country("CO", "Colombia", 18, "es_CO"),
    Country("KR", "South Korea", 15, "ko_KR"),
    Country("AU", "Australia", 15, "en_AU"),
    Country("PL", "Poland", 14, "pl_PL"),
    Country("AR", "Argentina", 14, "es_AR"),
    Country("UA", "Ukraine", 12, "uk_UA"),
    Country("NG", "Nigeria", 12, "en_NG"),
    Country("KE", "Kenya", 10, "en_KE"),
    Country("BE", "Belgium", 9, "nl_BE"),
    Country("SE", "Sweden", 8, "sv_SE"),
    Country("RO", "Romania", 8, "ro_RO"),
    Country("SG", "Singapore", 7, "en_GB"),
    Country("CZ", "Czechia", 6, "cs_CZ"),
    Country("GR", "Greece", 6, "el_GR"),
    Country("PT", "Portugal", 6, "pt_PT"),
    Country("HU", "Hungary", 6, "hu_HU"),
    Country("AT", "Austria", 5, "de_AT"),
    Country("CH", "Switzerland", 5, "de_CH"),
    Country("DK", "Denmark", 5, "da_DK"),
    Country("FI", "Finland", 5, "fi_FI"),
    Country("NO", "Norway", 5, "no_NO"),
    Country("IE", "Ireland", 4, "en_IE"),
    Country("NZ", "New Zealand", 4, "en_NZ"),
    Country("IS", "Iceland", 1, "is_IS"),
)
