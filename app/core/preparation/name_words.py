"""The words in names and labels, whatever their language, accents and spelling: what columns are recognised by."""

from __future__ import annotations

import re
import unicodedata


def word_set(listed: str) -> frozenset[str]:
    """Return the words of a list that is written with spaces."""
    return frozenset(listed.split())


_COMPOUND = re.compile(r"(.{3,}?)s?(datum|status|nummer|alter|gewicht|groesse)")
_PARTS = re.compile(r"[A-ZÀ-Þ]+(?=[A-ZÀ-Þ][a-zß-ÿ])|[A-ZÀ-Þ]?[a-zß-ÿ]+|[A-ZÀ-Þ]+|[0-9]+")
_LETTERS = str.maketrans({"ß": "ss", "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "œ": "oe"})
_SAME = {
    "sex": "gender genre geschlecht sexe sx",
    "age": "alter agean years",
    "birth": "dob naissance geburt geburtsdatum gebdat birthdate",
    "date": "datum dt day tag jour",
    "death": "died dead deceased exitus tod tot gestorben verstorben deces decede mort dod todesdatum",
    "diagnosis": "diag dx diagnose diagnostic diagnoses",
    "weight": "gewicht poids wt kg",
    "height": "groesse koerpergroesse taille ht cm",
    "smoker": "smoking smoke smokes raucher rauchen fumeur tabac tobacco",
    "stage": "stadium stade",
    "status": "zustand etat state stat",
    "survival": "os ueberleben survie",
    "time": "zeit temps duration dauer duree",
    "follow": "followup fu nachbeobachtung suivi",
    "treatment": "therapy therapie behandlung traitement trt rx arm",
    "hospital": "spital krankenhaus hopital clinic klinik",
    "patient": "patienten pat subject",
    "progression": "pfs progress",
    "loss": "verlust perte",
    "meal": "mahlzeit repas",
    "blood": "blut sang",
    "pressure": "druck pression",
    "creatinine": "kreatinin creat crea creatinin",
    "hemoglobin": "haemoglobin hb hgb hemoglobine",
    "mutation": "mut mutant mutated",
    "race": "ethnicity ethnie",
}
_EMPTY = word_set(
    "the of a an in at on to for by bei beim zum zur pour par der die das des dem von im am le la les du de et und and "
    "l d"
)
_ROOTS = {each: root for root, same in _SAME.items() for each in (root, *same.split())}


def folded(text: str) -> str:
    """Return ``text`` in small letters without accents; ä is ae."""
    if text.isascii():  # most of a large catalogue
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", text).translate(_LETTERS))
    return "".join(each for each in decomposed if not unicodedata.combining(each)).casefold()


def words(text: str) -> tuple[str, ...]:
    """Return the words of a name: ``patient_BirthDate`` is patient, birth, date, and Diagnosedatum diagnose, datum."""
    found: list[str] = []
    for part in _PARTS.findall(unicodedata.normalize("NFC", text)):
        compound = _COMPOUND.fullmatch(word := folded(part))
        found += compound.groups() if compound else (word,)
    return tuple(found)


def compact(text: str) -> str:
    """Return the letters and digits of a name alone: two names that differ in spelling only are equal."""
    return "".join(map(folded, _PARTS.findall(unicodedata.normalize("NFC", text))))


def roots(text: str) -> frozenset[str]:
    """Return the words that say something, those that mean the same as one: Geschlecht, sexe and gender are sex."""
    return frozenset(_ROOTS.get(each, each) for each in words(text) if each not in _EMPTY)
