"""What a column's name gives away: protected attributes and personal data, in a few languages."""

from __future__ import annotations

import re

PROTECTED: dict[str, frozenset[str]] = {
    "sex or gender": frozenset("sex gender male female geschlecht sexe genre sexo genero género sesso genere".split()),
    "race or ethnicity": frozenset("race ethnicity ethnic ethnie ethnicite etnia raza raca razza hautfarbe".split()),
    "age": frozenset("age dob birthdate birthday senior alter geburtsdatum edad idade eta âge naissance".split()),
    "religion": frozenset("religion religious faith konfession religione religiao".split()),
    "disability or health": frozenset(
        "disability disabled handicap behinderung discapacidad disabilita invalidite".split()
    ),
    "nationality or origin": frozenset(
        "nationality citizenship foreign migrant immigrant staatsangehoerigkeit nationalitaet "
        "nationalite nacionalidad".split()
    ),
    "marital status": frozenset("marital marriage married familienstand civil spouse matrimonial".split()),
    "pregnancy": frozenset("pregnancy pregnant schwanger embarazo grossesse".split()),
    "sexual orientation": frozenset("orientation lgbt".split()),
    "political opinion": frozenset("political party union gewerkschaft".split()),
}
PROTECTED_PAIRS: dict[str, tuple[frozenset[str], ...]] = {
    "nationality or origin": (frozenset({"native", "country"}), frozenset({"country", "birth"})),
    "marital status": (frozenset({"personal", "status"}),),
    "age": (frozenset({"year", "birth"}), frozenset({"date", "birth"})),
}
# "The age of a house" is nobody's age.
THINGS = frozenset(
    "house housing building car vehicle account machine tree loan property garage concrete equipment employment".split()
)

# Columns of these names often tell which rows come from one person, place or thing.
GROUPS = frozenset(
    "subject patient person user customer client household family participant player student driver device site "
    "hospital group cluster".split()
)

PERSONAL: dict[str, frozenset[str]] = {
    "names of people": frozenset(
        "name firstname lastname surname forename nachname vorname nom prenom apellido nombre cognome".split()
    ),
    "e-mail addresses": frozenset("email mail".split()),
    "telephone numbers": frozenset("phone telephone mobile telefon handy tel cellphone".split()),
    "street addresses": frozenset("address street adresse strasse direccion indirizzo".split()),
    "birth dates": frozenset("dob birthdate birthday geburtsdatum".split()),
    "official numbers": frozenset("ssn passport nin nhs iban taxid licence license".split()),
    "network addresses": frozenset("ip ipaddress".split()),
}
PATTERNS: dict[str, str] = {
    "e-mail addresses": r"^[\w.+-]+@[\w-]+\.[\w.]+$",
    "telephone numbers": r"^\+\d[\d ()/.-]{6,}\d$|^\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}$",
    "network addresses": r"^(\d{1,3}\.){3}\d{1,3}$|^([0-9a-fA-F]{1,4}:){4,7}[0-9a-fA-F]{1,4}$",
    "official numbers": r"^\d{3}-\d{2}-\d{4}$|^[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?$",
    "names of people": r"^[A-Z][\w'-]+, (Mr|Mrs|Miss|Ms|Master|Dr|Rev|Col)\b|^(Mr|Mrs|Miss|Ms|Dr)\.? [A-Z]",
}


def tokens(name: str) -> tuple[str, ...]:
    """The words in a column's name, in lower case.

    Example:
        >>> tokens("SeniorCitizen"), tokens("Garage Yr_Blt")
        (('senior', 'citizen'), ('garage', 'yr', 'blt'))
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return tuple(re.findall(r"[^\W\d_]+", spaced.lower()))


def protected_attribute(name: str) -> str:
    """The protected attribute that a column's name suggests, or an empty string.

    Example:
        >>> protected_attribute("native-country"), protected_attribute("housing_median_age")
        ('nationality or origin', '')
    """
    words = frozenset(tokens(name))
    if words & THINGS:
        return ""
    for attribute, known in PROTECTED.items():
        if words & known or any(pair <= words for pair in PROTECTED_PAIRS.get(attribute, ())):
            return attribute
    return ""


def personal_data(name: str) -> str:
    """The kind of personal data that a column's name suggests, or an empty string."""
    words = frozenset(tokens(name))
    return next((kind for kind, known in PERSONAL.items() if words & known), "")
