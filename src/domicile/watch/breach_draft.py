"""The notice of a breach, drafted in English or Dutch; what nobody but you knows is left open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from domicile.survey.map_words import Words

_TEXTS = {
    "en": {
        "title": "Notice of a personal data breach (draft)", "who": "Controller",
        "what": "What happened", "fill": "[to be filled in]", "where": "Where",
        "when": "From {since} to {until}; noticed on {aware}",
        "people": "People whose data lay there", "data": "Categories of personal data",
        "rows": "Number of records", "likely": "Likely consequences",
        "done": "Measures taken and proposed, also against the consequences",
        "contact": "Data protection officer or other contact",
        "late": "Reasons for the delay, if it comes too late",
        "tell": "Who is told, by when",
        "unknown": "country unknown", "by": "by", "soon": "without undue delay",
        "if": "The authority need not be told where a risk to people is unlikely (Article 33(1) "
              "GDPR); people are told where the risk to them is high (Article 34(1)). That is for "
              "you to judge, and to write down in either case (Article 33(5)). What is not known "
              "yet is told later, in phases (Article 33(4)).",
        "note": "Counts are of the data map and of {surveys} surveys of those days. They say what "
                "lay in the store, not what was seen or taken.",
    },
    "nl": {
        "title": "Melding van een inbreuk in verband met persoonsgegevens (concept)",
        "who": "Verwerkingsverantwoordelijke",
        "what": "Wat er is gebeurd", "fill": "[in te vullen]",
        "where": "Waar", "when": "Van {since} tot en met {until}; ontdekt op {aware}",
        "people": "Mensen van wie daar gegevens stonden", "data": "Soorten persoonsgegevens",
        "rows": "Aantal records", "likely": "Waarschijnlijke gevolgen",
        "done": "Genomen en voorgestelde maatregelen, ook tegen de gevolgen",
        "contact": "Functionaris gegevensbescherming of ander contactpunt",
        "late": "Reden van de vertraging, als de melding te laat komt",
        "tell": "Wie het moet weten, en wanneer",
        "unknown": "land onbekend", "by": "uiterlijk", "soon": "onverwijld",
        "if": "Aan de toezichthouder hoeft niet te worden gemeld als een risico voor mensen "
              "onwaarschijnlijk is (artikel 33, lid 1, AVG); de mensen zelf horen het als het "
              "risico voor hen hoog is (artikel 34, lid 1). Dat beoordeelt u zelf, en u legt het "
              "hoe dan ook vast (artikel 33, lid 5). Wat nog niet bekend is, volgt later, in "
              "stappen (artikel 33, lid 4).",
        "note": "De aantallen komen uit de gegevenskaart en uit {surveys} opnamen van die dagen. "
                "Zij zeggen wat er stond, niet wat er is bekeken of meegenomen.",
    },
}  # fmt: skip
"""The articles are those of Regulation (EU) 2016/679, from memory."""

_ROLES = {"supervisory authority": "toezichthouder", "data subjects": "betrokkenen"}
"""How Regulation (EU) 2016/679 calls them in Dutch; other names stay as the mandate has them."""


def drafted(document: dict[str, Any], language: str) -> str:
    """The notice with what Article 33(3) GDPR asks for, as Markdown. `language`: en or nl."""
    texts, words = _TEXTS[language], Words(language)

    def country(code: str | None) -> str:
        return f"{words.country(code)} ({code})" if code else texts["unknown"]

    def time(iso: str) -> str:
        return f"{words.day(iso[:10])}, {datetime.fromisoformat(iso):%H:%M} UTC"

    def to(names: Sequence[str]) -> str:
        return ", ".join(_ROLES.get(n, n) if language == "nl" else n for n in names)

    kinds: dict[str, list[str]] = {}
    for category in document["categories"]:
        kinds.setdefault(".".join(category.split(".")[:2]), []).append(category)
    when = texts["when"].format(
        since=words.day(document["since"]), until=words.day(document["until"]),
        aware=time(document["aware"]),
    )  # fmt: skip
    rows = sum(t["rows"] for t in document["tables"])
    lines = [
        f"# {texts['title']}", "",
        f"**{texts['who']}**: {document['controller'] or texts['fill']}", "",
        f"**{texts['contact']}**: {texts['fill']}", "",
        f"**{texts['what']}**: {texts['fill']}", "",
        (f"**{texts['where']}**: {document['store']} ({country(document['country'])}, "
        f"{document['operator']}). {when}."), "",
        f"## {texts['people']}", "",
        *(f"- {country(line['country'])}: {words.number(line['people'])}"
          for line in document["people"]), "",
        f"## {texts['data']}", "",
        *(f"- {words.group(kind)}: {', '.join(each)}" for kind, each in kinds.items()), "",
        f"**{texts['rows']}**: {words.number(rows)}", "",
        texts["note"].format(surveys=document["surveys"]), "",
        f"**{texts['likely']}**: {texts['fill']}", "",
        f"**{texts['done']}**: {texts['fill']}", "",
        f"## {texts['tell']}", "",
        *(f"- {to(t['to'])}, {country(t['country'])} ({words.number(t['people'])}): "
          + (f"{texts['by']} {time(t['by'])}" if t["by"] else texts["soon"])
          + f" ({t['mandate']}/{t['clause']})"
          for t in document["tell"]), "",
        texts["if"], "",
        f"**{texts['late']}**: {texts['fill']}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
