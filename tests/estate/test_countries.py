"""Countries as real data spell them; the lists are typed from ISO 3166-1."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.estate.countries import country_code, country_name, is_code, nearest_country

# The 109 names of the recorded video store (pagila, and sakila before it), with their codes.
VIDEO_STORE = """
Afghanistan=AF Algeria=DZ American_Samoa=AS Angola=AO Anguilla=AI Argentina=AR Armenia=AM
Australia=AU Austria=AT Azerbaijan=AZ Bahrain=BH Bangladesh=BD Belarus=BY Bolivia=BO Brazil=BR
Brunei=BN Bulgaria=BG Cambodia=KH Cameroon=CM Canada=CA Chad=TD Chile=CL China=CN Colombia=CO
Congo,_The_Democratic_Republic_of_the=CD Czech_Republic=CZ Dominican_Republic=DO Ecuador=EC
Egypt=EG Estonia=EE Ethiopia=ET Faroe_Islands=FO Finland=FI France=FR French_Guiana=GF
French_Polynesia=PF Gambia=GM Germany=DE Greece=GR Greenland=GL Holy_See_(Vatican_City_State)=VA
Hong_Kong=HK Hungary=HU India=IN Indonesia=ID Iran=IR Iraq=IQ Israel=IL Italy=IT Japan=JP
Kazakstan=KZ Kenya=KE Kuwait=KW Latvia=LV Liechtenstein=LI Lithuania=LT Madagascar=MG Malawi=MW
Malaysia=MY Mexico=MX Moldova=MD Morocco=MA Mozambique=MZ Myanmar=MM Nauru=NR Nepal=NP
Netherlands=NL New_Zealand=NZ Nigeria=NG North_Korea=KP Oman=OM Pakistan=PK Paraguay=PY Peru=PE
Philippines=PH Poland=PL Puerto_Rico=PR Romania=RO Runion=RE Russian_Federation=RU
Saint_Vincent_and_the_Grenadines=VC Saudi_Arabia=SA Senegal=SN Slovakia=SK South_Africa=ZA
South_Korea=KR Spain=ES Sri_Lanka=LK Sudan=SD Sweden=SE Switzerland=CH Taiwan=TW Tanzania=TZ
Thailand=TH Tonga=TO Tunisia=TN Turkey=TR Turkmenistan=TM Tuvalu=TV Ukraine=UA
United_Arab_Emirates=AE United_Kingdom=GB United_States=US Venezuela=VE Vietnam=VN
Virgin_Islands,_U.S.=VI Yemen=YE Yugoslavia= Zambia=ZM
"""
PAIRS = [
    (name.replace("_", " "), code or None)
    for name, _, code in (each.partition("=") for each in VIDEO_STORE.split())
]


def test_the_recorded_list_is_whole() -> None:
    assert len(PAIRS) == 109


@pytest.mark.parametrize(("name", "code"), PAIRS)
def test_names_of_the_recorded_video_store(name: str, code: str | None) -> None:
    assert country_code(name) == code
    assert country_code(f"  {name.upper()} ") == code


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("USA", "US"), ("U.S.A.", "US"), ("U.S.", "US"), ("us", "US"), ("Usa", "US"),
        ("United States of America", "US"), ("The United States", "US"),
        ("UK", "GB"), ("U.K.", "GB"), ("England", "GB"), ("Great Britain", "GB"), ("gbr", "GB"),
        ("United Kingdom of Great Britain and Northern Ireland", "GB"),
        ("nl", "NL"), ("NLD", "NL"), ("Holland", "NL"), ("The Netherlands", "NL"),
        ("Nederland", "NL"), ("Deutschland", "DE"), ("España", "ES"), ("Österreich", "AT"),
        ("Czechia", "CZ"), ("Viet Nam", "VN"), ("Korea, Republic of", "KR"),
        ("Republic of Korea", "KR"), ("Korea, Democratic People's Republic of", "KP"),
        ("Virgin Islands, British", "VG"), ("British Virgin Islands", "VG"),
        ("Congo-Brazzaville", "CG"), ("DR Congo", "CD"), ("Türkiye", "TR"), ("Turkiye", "TR"),
        ("Côte d'Ivoire", "CI"), ("Cote d\u2019Ivoire", "CI"), ("Ivory Coast", "CI"),
        ("Réunion", "RE"), ("Curaçao", "CW"), ("Curacao", "CW"), ("St. Lucia", "LC"),
        ("Trinidad & Tobago", "TT"), ("Bosnia and Herzegovina", "BA"), ("Burma", "MM"),
        ("Swaziland", "SZ"), ("Eswatini", "SZ"), ("North Macedonia", "MK"), ("Macedonia", "MK"),
        ("NO", "NO"), ("Niger", "NE"), ("Dominica", "DM"), ("Guinea", "GN"), ("Georgia", "GE"),
        ("Guinea-Bissau", "GW"), ("Samoa", "WS"), ("Kosovo", "XK"), ("EL", "GR"), ("PRC", "CN"),
        ("Congo, Republic of the", "CG"), ("Congo, Dem. Rep.", "CD"), ("Korea, Rep.", "KR"),
        ("Korea, Dem. People's Rep.", "KP"), ("Egypt, Arab Rep.", "EG"), ("Gambia, The", "GM"),
        ("Iran, Islamic Rep.", "IR"), ("Yemen, Rep.", "YE"), ("Micronesia, Fed. Sts.", "FM"),
        ("Macedonia, the former Yugoslav Republic of", "MK"), ("Congo (Kinshasa)", "CD"),
        ("United States (USA)", "US"), ("Holland / Netherlands", "NL"),
        ("Republic of Ireland", "IE"),
        ("United States Virgin Islands", "VI"), ("Großbritannien", "GB"), ("日本", "JP"),
        ("Россия", "RU"), ("Ελλάδα", "GR"), ("UAE", "AE"),
        ("Åland Islands", "AX"), ("Hong\u00a0Kong", "HK"),
    ],
)  # fmt: skip
def test_spellings(name: str, code: str) -> None:
    assert country_code(name) == code


@pytest.mark.parametrize(
    "name",
    [
        "", " ", "?", "-", "n/a", "N/A", "N.A.", "L.A.", "unknown", "Yugoslavia", "Korea",
        "Congo", "Virgin Islands", "America", "Europe", "EU", "Soviet Union", "Czechoslovakia",
        "Netherlands Antilles", "Saint Martin", "XX", "ZZ", "QQQ", "12", "840", "352",
        "Netherlands / Belgium", "USA (Mexico)", "Paris, France", "Georgia, USA",
        "Republic of China",
        "Netherlands (unknown)", "Channel Islands", "Congo (?)",
        "US or Canada", "Amsterdam", "Texas", "Republic", "United",
    ],
)  # fmt: skip
def test_no_guess(name: str) -> None:
    assert country_code(name) is None


def test_recorded_music_shop() -> None:
    spelled = {"USA": "US", "United Kingdom": "GB", "Czech Republic": "CZ", "Chile": "CL"}
    assert {name: country_code(name) for name in spelled} == spelled


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_gives_a_code_or_nothing(text: str) -> None:
    code = country_code(text)
    assert code is None or is_code(code)


@settings(deadline=None)
@given(
    st.sampled_from([code for _, code in PAIRS if code]), st.sampled_from([str.lower, str.title])
)
def test_codes_and_english_names_come_back(code: str, case: object) -> None:
    assert callable(case)
    assert country_code(case(code)) == code
    assert country_code(case(country_name(code))) == code


def test_nearest() -> None:
    assert nearest_country("Netherlnds") == "Did you mean Netherlands (NL)?"
    assert "alpha-2" in nearest_country("zzzzzz")
