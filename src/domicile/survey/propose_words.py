"""Words by which `init` tells tables and columns apart. Data only.

Folded as `classify_names.words` folds names: ASCII, lower case. In the languages that real schemas
are written in, as far as they were met.
"""

from __future__ import annotations

from typing import Final


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


EMPLOYEES: Final = _set("""
    staff employee employees worker workers medewerker medewerkers mitarbeiter empleado empleados
    manager managers crew salarie salaries dipendenti employe employes agent agents operator
    operators admin admins administrator administrators moderator moderators personeel personal
    personnel doctor doctors teacher teachers
""")
"""People who act for the organisation; they serve the data subjects of the application."""

PASSING: Final = _set("""
    registration registrations lead leads applicant applicants candidate candidates contact
    contacts recipients invitation invitations signup signups newsletter actor actors artist
    artists author authors composer history log audit backup archive tmp temp old import
""")
"""Names of people's data that seldom are the register: requests, copies, public figures."""

NOISE: Final = _set("tbl tb t vw dim fact stg m mst app core auth public")
"""What stands before a table's own name and says nothing of it."""

KEY_ENDINGS: Final = (
    "id", "uuid", "guid", "key", "fk", "nr", "no", "nummer", "number", "ref",
)  # fmt: skip
"""What ends the name of a column that refers to another row."""

COUNTRY: Final = _set("""
    country countries countrycode land lander laender landcode landescode landkode pays pais
    paises paese nation nations residence residency iso iso2 iso3 woonland wohnland wohnsitzland
    staat cc
""")
"""Words for a country or for where somebody lives."""

NOT_RESIDENCE: Final = _set("""
    birth born nationality nationalities nationaliteit nationalitaet staatsangehoerigkeit
    citizenship passport origin ship shipping delivery bank issuing issued work office
""")
"""A country for another purpose than residence: it is never proposed as one."""

PERHAPS_RESIDENCE: Final = _set("billing invoice tax vat ip phone signup registration last current")
"""A country that is residence for want of a better one."""

NEVER_COUNTRY: Final = _set("""
    state province provincie region district county language languages lang locale currency
    timezone tz status type gender
""")
"""Codes of two letters that look like countries: `de` is German and `CA` California."""

ACTS: Final = _set("""
    author writer creator created reporter sender from initiator uploader poster follower liker
    voter rater reviewer buyer requester submitter inviter viewer watcher by own owner auteur
    afzender absender autor expediteur uid
""")
"""Who does what a row records."""

PLAIN: Final = _set("user account member customer person profile client klant gebruiker kunde")
"""Who a row belongs to, when nobody else is named."""

FACED: Final = _set("""
    recipient recipients receiver addressee followee followed invitee assignee blocked mentioned
    moderator approver handler modifier editor updater related destinataire destinatario ontvanger
    empfaenger bestemming geadresseerde
""")
"""Names of columns that hold a person who is no author, and mean nothing else than a person."""

ACTED_UPON: Final = _set("""
    target recipient receiver to flagged reported subject mentioned next assigned assignee
    moderator approved approver handled handler followed followee blocked invitee reply parent
    origin ontvanger empfaenger destinataire
""")
"""Whom an act is about or is handed to."""
