r"""Read what stands behind a number as a unit, and convert between units exactly.

`read_unit(r"\text{ km/h}")` is a length over a time; `convert` turns 36 of them into 10 m/s. All
factors are exact rationals. Words that are no unit of measurement are a counted thing: `5 apples`
is not `5 oranges`, but may be `5 red apples`. `units` without a name is generic: it agrees with a
length of the same power and with a counted thing.

Two units with one name keep both meanings (`pounds` are a mass and money, never both at once).
Gallons, cups and tons are those of the United States. A year has 12 months but no exact number of
days, so years and days do not convert.

Not here: the number itself, percent (only told apart, `is_percent`), a sum of two units
(`5 ft 6 in`), degrees as radians (`Unit.degrees`: the caller knows what pi is), byte prefixes,
and whether `5m` in a formula is five meters or five times m: the caller knows the variables.
"""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, lru_cache

MAX_CHARS = 80

Dimension = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: what is measured, and how much of the base unit it is."""

    name: str
    """Canonical: `meter`, `kilometer/hour`, `meter^2`, `apple`."""
    kind: str
    """`measure`, `angle`, `temperature`, `money`, `generic` (units, square units) or `thing`."""
    dimension: Dimension
    """(base, exponent) sorted; a counted thing is a base of its own, such as `#apple`."""
    factor: tuple[int, int] = (1, 1)
    """How many base units one of these is, as (numerator, denominator) in lowest terms."""
    offset: tuple[int, int] = (0, 1)
    """Added after the factor: 0 °C is 273.15 K. Zero in anything built from several units."""
    degrees: int = 0
    """How often the factor still has to be multiplied by pi/180: 1 for a degree of angle."""
    of: str = ""
    """What it is an amount of: `flour` for `cups of flour`."""
    also: "Unit | None" = None
    """A second meaning of the same name."""


# What a unit measures, in powers of the bases.
_DIMENSIONS: dict[str, Dimension] = {
    "length": (("length", 1),),
    "area": (("length", 2),),
    "volume": (("length", 3),),
    "speed": (("length", 1), ("time", -1)),
    "mass": (("mass", 1),),
    "time": (("time", 1),),
    "months": (("month", 1),),
    "frequency": (("time", -1),),
    "force": (("length", 1), ("mass", 1), ("time", -2)),
    "pressure": (("length", -1), ("mass", 1), ("time", -2)),
    "energy": (("length", 2), ("mass", 1), ("time", -2)),
    "power": (("length", 2), ("mass", 1), ("time", -3)),
    "current": (("current", 1),),
    "charge": (("current", 1), ("time", 1)),
    "voltage": (("current", -1), ("length", 2), ("mass", 1), ("time", -3)),
    "resistance": (("current", -2), ("length", 2), ("mass", 1), ("time", -3)),
    "capacity": (("current", 2), ("length", -2), ("mass", -1), ("time", 4)),
    "induction": (("current", -1), ("mass", 1), ("time", -2)),
    "inductance": (("current", -2), ("length", 2), ("mass", 1), ("time", -2)),
    "amount": (("amount", 1),),
    "concentration": (("amount", 1), ("length", -3)),
    "level": (("level", 1),),
    "temperature": (("temperature", 1),),
    "angle": (("angle", 1),),
    "generic": (("unit", 1),),
    **{code: ((code, 1),) for code in ("usd", "eur", "gbp", "jpy", "cny", "inr", "krw", "rub")},
}
_MONEY = frozenset(["usd", "eur", "gbp", "jpy", "cny", "inr", "krw", "rub"])

# name, other names, dimension, numerator, denominator. Singular; plurals are found by `singular`.
_UNITS: tuple[tuple[str, str, str, int, int], ...] = (
    ("meter", "m metre", "length", 1, 1),
    ("picometer", "pm picometre", "length", 1, 10**12),
    ("nanometer", "nm nanometre", "length", 1, 10**9),
    ("micrometer", "μm um micrometre micron", "length", 1, 10**6),
    ("millimeter", "mm millimetre", "length", 1, 1000),
    ("centimeter", "cm centimetre cms", "length", 1, 100),
    ("decimeter", "dm decimetre", "length", 1, 10),
    ("kilometer", "km kilometre kms", "length", 1000, 1),
    ("inch", "in ins", "length", 254, 10**4),
    ("foot", "ft", "length", 3048, 10**4),
    ("yard", "yd yds", "length", 9144, 10**4),
    ("mile", "mi", "length", 1609344, 1000),
    ("nautical_mile", "nmi", "length", 1852, 1),
    ("angstrom", "Å ångström", "length", 1, 10**10),
    ("light_year", "ly lightyear", "length", 9460730472580800, 1),
    ("acre", "", "area", 40468564224, 10**7),
    ("hectare", "ha", "area", 10**4, 1),
    ("liter", "L l litre", "volume", 1, 1000),
    ("milliliter", "ml mL millilitre cc", "volume", 1, 10**6),
    ("centiliter", "cl cL centilitre", "volume", 1, 10**5),
    ("deciliter", "dl dL decilitre", "volume", 1, 10**4),
    ("kiloliter", "kl kL kilolitre", "volume", 1, 1),
    ("gallon", "gal gals", "volume", 3785411784, 10**12),
    ("quart", "qt qts", "volume", 946352946, 10**12),
    ("pint", "pt pts", "volume", 473176473, 10**12),
    ("cup", "", "volume", 2365882365, 10**13),
    ("fluid_ounce", "floz", "volume", 295735295625, 10**16),
    ("tablespoon", "tbsp", "volume", 1478676478125, 10**17),
    ("teaspoon", "tsp", "volume", 492892159375, 10**17),
    ("kilogram", "kg kgs kilo kilogramme", "mass", 1, 1),
    ("gram", "g gm gms gramme", "mass", 1, 1000),
    ("milligram", "mg milligramme", "mass", 1, 10**6),
    ("microgram", "μg ug mcg", "mass", 1, 10**9),
    ("tonne", "metric_ton", "mass", 1000, 1),
    ("ton", "short_ton", "mass", 90718474, 10**5),
    ("pound", "lb lbs", "mass", 45359237, 10**8),
    ("ounce", "oz", "mass", 45359237, 16 * 10**8),
    ("second", "s sec secs", "time", 1, 1),
    ("millisecond", "ms msec", "time", 1, 1000),
    ("microsecond", "μs us", "time", 1, 10**6),
    ("nanosecond", "ns", "time", 1, 10**9),
    ("minute", "min mins", "time", 60, 1),
    ("hour", "h hr hrs", "time", 3600, 1),
    ("day", "", "time", 86400, 1),
    ("week", "wk wks", "time", 604800, 1),
    ("fortnight", "", "time", 1209600, 1),
    ("month", "", "months", 1, 1),
    ("year", "yr yrs", "months", 12, 1),
    ("decade", "", "months", 120, 1),
    ("century", "", "months", 1200, 1),
    ("mile/hour", "mph", "speed", 44704, 10**5),
    ("kilometer/hour", "kph kmh kmph", "speed", 10, 36),
    ("meter/second", "mps", "speed", 1, 1),
    ("knot", "", "speed", 1852, 3600),
    ("hertz", "Hz hz", "frequency", 1, 1),
    ("kilohertz", "kHz", "frequency", 1000, 1),
    ("megahertz", "MHz", "frequency", 10**6, 1),
    ("gigahertz", "GHz", "frequency", 10**9, 1),
    ("newton", "N", "force", 1, 1),
    ("kilonewton", "kN", "force", 1000, 1),
    ("millinewton", "mN", "force", 1, 1000),
    ("pascal", "Pa", "pressure", 1, 1),
    ("hectopascal", "hPa", "pressure", 100, 1),
    ("kilopascal", "kPa", "pressure", 1000, 1),
    ("megapascal", "MPa", "pressure", 10**6, 1),
    ("gigapascal", "GPa", "pressure", 10**9, 1),
    ("atmosphere", "atm", "pressure", 101325, 1),
    ("bar", "", "pressure", 10**5, 1),
    ("millibar", "mbar", "pressure", 100, 1),
    ("torr", "Torr mmHg", "pressure", 101325, 760),
    ("joule", "J", "energy", 1, 1),
    ("kilojoule", "kJ KJ", "energy", 1000, 1),
    ("megajoule", "MJ", "energy", 10**6, 1),
    ("watt_hour", "Wh", "energy", 3600, 1),
    ("kilowatt_hour", "kWh kwh KWh KWH", "energy", 3600000, 1),
    ("megawatt_hour", "MWh", "energy", 3600000000, 1),
    ("electronvolt", "eV", "energy", 1602176634, 10**28),
    ("millielectronvolt", "meV", "energy", 1602176634, 10**31),
    ("kiloelectronvolt", "keV", "energy", 1602176634, 10**25),
    ("megaelectronvolt", "MeV", "energy", 1602176634, 10**22),
    ("gigaelectronvolt", "GeV", "energy", 1602176634, 10**19),
    ("calorie", "cal", "energy", 4184, 1000),
    ("kilocalorie", "kcal", "energy", 4184, 1),
    ("watt", "W", "power", 1, 1),
    ("milliwatt", "mW", "power", 1, 1000),
    ("kilowatt", "kW", "power", 1000, 1),
    ("megawatt", "MW", "power", 10**6, 1),
    ("gigawatt", "GW", "power", 10**9, 1),
    ("ampere", "A amp", "current", 1, 1),
    ("milliampere", "mA milliamp", "current", 1, 1000),
    ("microampere", "μA microamp", "current", 1, 10**6),
    ("coulomb", "C", "charge", 1, 1),
    ("millicoulomb", "mC", "charge", 1, 1000),
    ("microcoulomb", "μC", "charge", 1, 10**6),
    ("nanocoulomb", "nC", "charge", 1, 10**9),
    ("farad", "F", "capacity", 1, 1),
    ("microfarad", "μF", "capacity", 1, 10**6),
    ("nanofarad", "nF", "capacity", 1, 10**9),
    ("picofarad", "pF", "capacity", 1, 10**12),
    ("tesla", "T", "induction", 1, 1),
    ("millitesla", "mT", "induction", 1, 1000),
    ("henry", "H", "inductance", 1, 1),
    ("millihenry", "mH", "inductance", 1, 1000),
    ("volt", "V", "voltage", 1, 1),
    ("millivolt", "mV", "voltage", 1, 1000),
    ("kilovolt", "kV", "voltage", 1000, 1),
    ("ohm", "Ω", "resistance", 1, 1),
    ("kilohm", "kΩ kiloohm", "resistance", 1000, 1),
    ("megohm", "MΩ megaohm", "resistance", 10**6, 1),
    ("mole", "mol mols", "amount", 1, 1),
    ("millimole", "mmol", "amount", 1, 1000),
    ("kilomole", "kmol", "amount", 1000, 1),
    ("molar", "", "concentration", 1000, 1),
    ("millimolar", "mM", "concentration", 1, 1),
    ("decibel", "dB", "level", 1, 1),
    ("kelvin", "K", "temperature", 1, 1),
    ("celsius", "℃ centigrade", "temperature", 1, 1),
    ("fahrenheit", "℉", "temperature", 5, 9),
    ("radian", "rad rads", "angle", 1, 1),
    ("degree", "deg degs", "angle", 1, 1),
    ("unit", "", "generic", 1, 1),
    ("dollar", "$ USD usd us_dollar buck", "usd", 1, 1),
    ("cent", "¢ us_cent", "usd", 1, 100),
    ("euro", "€ EUR eur", "eur", 1, 1),
    ("eurocent", "", "eur", 1, 100),
    ("sterling", "£ GBP gbp quid", "gbp", 1, 1),
    ("pence", "", "gbp", 1, 100),
    ("yen", "¥ JPY", "jpy", 1, 1),
    ("yuan", "CNY RMB renminbi", "cny", 1, 1),
    ("rupee", "₹ Rs INR", "inr", 1, 1),
    ("won", "₩ KRW", "krw", 1, 1),
    ("ruble", "₽ RUB rouble", "rub", 1, 1),
)
_PREFIXES = {
    "f": (1, 10**15), "p": (1, 10**12), "n": (1, 10**9), "μ": (1, 10**6), "m": (1, 1000),
    "k": (1000, 1), "M": (10**6, 1), "G": (10**9, 1), "T": (10**12, 1),
}  # fmt: skip
_PREFIXED = (
    "m",
    "g",
    "s",
    "L",
    "Hz",
    "N",
    "Pa",
    "J",
    "Wh",
    "eV",
    "W",
    "A",
    "C",
    "F",
    "V",
    "Ω",
    "T",
    "H",
    "mol",
)
"""What has names of its own above keeps those."""
_OFFSETS = {"celsius": (27315, 100), "fahrenheit": (45967, 180)}
_SECOND_MEANING = {
    "pound": "sterling", "cent": "eurocent", "yen": "yuan", "coulomb": "celsius",
    "farad": "fahrenheit",
}  # fmt: skip
# Only the names that mean both: `lb` is no money, `£` no mass, `JPY` not the yuan.
_AMBIGUOUS = frozenset(["pound", "cent", "¢", "¥", "C", "F"])
_PAIRS = frozenset(
    ["fluid ounce", "fl oz", "nautical mile", "light year", "metric ton", "metric tonne",
     "short ton", "us dollar", "us cent", "watt hour", "kilowatt hour", "megawatt hour"]
)  # fmt: skip
_PAIR_NAMES = {"fl_oz": "fluid_ounce", "metric_tonne": "tonne"}
# Symbols that mean the same thing in capitals (`KM`); not `MS` or `MW`.
_ANY_CASE = frozenset(
    ["km", "cm", "mm", "kg", "ft", "yd", "lb", "lbs", "oz", "mph", "kph", "hr", "hrs", "sec",
     "secs", "min", "mins", "yr", "yrs", "gal", "qt", "tsp", "tbsp", "cms", "kms", "kgs", "ml"]
)  # fmt: skip
# Whole words that are short: they have capitals and plurals, as longer ones do.
_SHORT = frozenset(["day", "cup", "ton", "won", "yen", "ohm", "amp", "rad"])

_SCALES = {
    "dozen": 12, "score": 20, "gross": 144, "lakh": 10**5, "crore": 10**7,
    "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "tens": 10, "hundreds": 100, "thousands": 1000, "millions": 10**6, "billions": 10**9,
}  # fmt: skip

# Words that change the number or make a statement of it: with one of them it is no name of a thing.
_NO_THING_WORDS = """
or and either neither nor not xor but yet plus minus times over squared cubed factorial percent
point half halves third thirds quarter quarters fourth fourths fifth fifths sixth sixths eighth
eighths ninth ninths tenth tenths hundredth hundredths thousandth thousandths mod modulo
remainder more less fewer greater smaller larger bigger longer shorter taller older younger
faster slower higher lower than least most maximum minimum almost nearly approximately approx
about around roughly circa exactly only if then because since so hence thus therefore which
where when while is are was were be been has have had does do did will would can could may might
must shall should equals equal of negative positive infinity infinite none no nothing nil each
every per the a an this that these those it its they them their there here we you he she his her
our your my i in on at by to from with without for into onto out up down between above below
under within through until till before after ago early late earlier later across along against
north south east west northeast northwest southeast southwest left right forward backward upward
downward forwards backwards am pm noon midnight undefined unknown dne sin cos tan cot sec csc
log ln exp sqrt gcd lcm max lim pi alpha beta gamma delta epsilon theta lambda sigma omega phi
psi frac sum prod int det arg deg dim ker cdot circ zero one two three four five six seven eight
nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty
thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion dozen
hundreds thousands millions billions trillions dozens once twice thrice double triple quadruple
twofold first true false yes answer final solution solutions real wrong incorrect mistaken inverse
reciprocal opposite conjugate complement transpose repeating recurring rounded imaginary radical
unless maybe perhaps probably possibly otherwise except instead depending assuming likely unlikely
nonzero excluding versus short tenths millionth millionths billionth billionths lakhs crores scores
exponent invalid impossible inclusive exclusive respectively
"""
_NO_THING = frozenset(_NO_THING_WORDS.split())

# Said of a measured amount without changing it: `5 feet tall`, `12 years old`, `5 dollars each`.
_TRAILING = frozenset(
    ["tall", "long", "wide", "deep", "high", "thick", "old", "away", "apart", "each", "total",
     "altogether", "remaining", "left"]
)  # fmt: skip

_IRREGULAR = {
    "children": "child", "people": "person", "persons": "person", "men": "man", "women": "woman",
    "feet": "foot", "teeth": "tooth", "geese": "goose", "mice": "mouse", "dice": "die",
    "oxen": "ox", "leaves": "leaf", "knives": "knife", "wives": "wife", "lives": "life",
    "wolves": "wolf", "loaves": "loaf", "shelves": "shelf", "calves": "calf", "thieves": "thief",
    "scarves": "scarf", "elves": "elf", "vertices": "vertex", "indices": "index",
    "matrices": "matrix", "radii": "radius", "cacti": "cactus", "bacteria": "bacterium",
    "buses": "bus", "gases": "gas", "lenses": "lens", "viruses": "virus", "bonuses": "bonus",
    "octopuses": "octopus", "atlases": "atlas", "canvases": "canvas", "statuses": "status",
    "quizzes": "quiz", "shoes": "shoe", "toes": "toe", "canoes": "canoe", "hoes": "hoe",
    "movies": "movie", "cookies": "cookie", "pies": "pie", "ties": "tie", "brownies": "brownie",
    "calories": "calorie", "kilocalories": "kilocalorie", "zombies": "zombie",
    "smoothies": "smoothie", "rookies": "rookie", "skis": "ski", "taxis": "taxi",
    "headaches": "headache", "axes": "axe", "caches": "cache", "aches": "ache",
}  # fmt: skip
_NO_PLURAL = frozenset(
    ["series", "species", "news", "lens", "gas", "canvas", "atlas", "pence", "yes", "always",
     "has", "was", "as", "christmas"]
)  # fmt: skip


def singular(word: str) -> str:
    """The singular of a lower-case English noun, as far as rules and a short list go."""
    known = _IRREGULAR.get(word)
    if known is not None:
        return known
    if len(word) < 4 or not word.endswith("s") or word in _NO_PLURAL:
        return word
    if word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("xes", "ches", "shes", "sses", "zzes", "oes")):
        return word[:-2]
    return word[:-1]


@cache
def _table() -> dict[str, Unit]:
    """All names of all units, as written."""
    table: dict[str, Unit] = {}
    for name, others, measured, above, below in _UNITS:
        factor = Fraction(above, below)
        unit = Unit(
            name,
            _kind(measured),
            _DIMENSIONS[measured],
            (factor.numerator, factor.denominator),
            _OFFSETS.get(name, (0, 1)),
            1 if name == "degree" else 0,
        )
        for each in (name, *others.split()):
            table[each] = unit
    for prefix, (above, below) in _PREFIXES.items():
        for symbol in _PREFIXED:
            unit = table[symbol]
            factor = Fraction(*unit.factor) * Fraction(above, below)
            table.setdefault(
                prefix + symbol,
                replace(unit, name=prefix + symbol, factor=(factor.numerator, factor.denominator)),
            )
    for name, second in _SECOND_MEANING.items():
        for each in [each for each in _AMBIGUOUS if table[each].name == name]:
            table[each] = replace(table[each], also=table[second])
    return table


def _kind(measured: str) -> str:
    if measured in _MONEY:
        return "money"
    return measured if measured in ("angle", "temperature", "generic") else "measure"


def _named(word: str) -> Unit | None:
    """The unit of measurement with this name, or None."""
    table = _table()
    unit = table.get(word)
    if unit is not None:
        return unit
    low = word.lower()
    if len(low) < 4:
        same = word.islower() or word.isupper() or (word.istitle() and low not in ("mm", "ml"))
        return table.get(low) if low in _SHORT or (same and low in _ANY_CASE) else None
    # A symbol has no plural: `Pas` is not `Pa`.
    one = singular(low)
    return table.get(one) if len(one) > 3 or one in _SHORT else None


_SPACES = re.compile(r"\\[,;:! ]|\\q?quad(?![A-Za-z])|~|[\u00a0\u2009\u202f]")
_FONT = re.compile(
    r"\\(?:text(?:rm|bf|it|sf|normal|up|tt)?|math(?:rm|bf|it|sf|normal)|mbox|hbox|operatorname|rm|bf|it)"
    r"(?![A-Za-z])\*?"
)
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_POWER = re.compile(r"\^\s*\{\s*(-?[0-9]{1,2})\s*\}")
_INNER = re.compile(r"(?<!\^)\{([^{}]*)\}")
_DEGREE = re.compile(r"\^\s*\{?\s*\\(?:circ|degree)(?![A-Za-z])\s*\}?|\\degrees?(?![A-Za-z])|[º˚]")
_SIGNS = {
    "\\mu": "μ", "\\Omega": "Ω", "\\ohm": "Ω", "\\cdot": "·", "\\pounds": "£", "\\pound": "£",
    "\\euro": "€", "\\cent": "¢", "\\cents": "¢", "\\yen": "¥", "\\rupee": "₹", "\\AA": "Å",
}  # fmt: skip
_COMMAND = re.compile(r"\\[A-Za-z]+")
_SCALE_OF_DEGREES = re.compile(
    r"(?:°|\bdegrees?)\s*(celsius|centigrade|fahrenheit|[cfk])\b", re.IGNORECASE
)
_FULL_NAMES = {"c": "celsius", "centigrade": "celsius", "f": "fahrenheit", "k": "kelvin"}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_JOINTS = str.maketrans("", "", "-'’")
_LETTER = r"[^\W\d_⁰¹²³⁴-⁹]"
_TOKEN = re.compile(
    rf"\s*(?:({_LETTER}+(?:['’\-]{_LETTER}+)*)|\^\s*\{{?\s*(-?[0-9]{{1,2}})\s*\}}?"
    r"|([⁻⁰¹²³⁴-⁹]+)|([/·⋅*•()])|([$€£¥₹₩₽¢℃℉]))"
)


def _bare(text: str) -> str | None:
    """Without LaTeX; None when there is a command that is no part of a unit."""
    text = text.replace("µ", "μ").replace("\u2126", "Ω")
    if "\\" in text or "{" in text:
        text = _FONT.sub(" ", text)
        text = _DEGREE.sub("°", _SPACES.sub(" ", text)).replace("\\$", " \ue000 ")
        text = _POWER.sub(r"^\1 ", text)
        # Braces hold names, powers or the halves of a fraction; three levels are plenty.
        for _ in range(3):
            text = _INNER.sub(r" \1 ", _FRACTION.sub(r" (\1)/(\2) ", text))
        text = _COMMAND.sub(lambda found: _SIGNS.get(found[0], found[0]), text)
        text = re.sub(r"μ\s+(?=[^\W\d_])", "μ", text)
        if "\\" in text:
            return None
    else:
        text = _DEGREE.sub("°", text)
    text = text.strip().removesuffix(".").strip()
    # A dollar sign alone, or over something, is money; elsewhere it is left of `$...$`.
    if text == "$" or re.match(r"\$\s*(?:/|per\b)", text):
        text = "\ue000" + text[1:]
    text = text.replace("$", " ").replace("\ue000", "$")
    text = _SCALE_OF_DEGREES.sub(
        lambda found: f" {_FULL_NAMES.get(found[1].lower(), found[1].lower())} ", text
    )
    text = re.sub(r"(?<=[a-z]{3})\(s\)", "s", text.replace("°", " degree "))
    return re.sub(r"(?<=[^\W\d_])\.", "", text).strip()


def is_percent(text: str) -> bool:
    r"""Whether the text is the percent sign (`%`, `\%`) or word."""
    if len(text) > MAX_CHARS:
        return False
    bare = " ".join(_FONT.sub(" ", _SPACES.sub(" ", text)).translate(_NO_DRESS).split())
    return bare.rstrip(".").lower() in ("%", "％", "percent", "per cent", "pct", "percentage")


_NO_DRESS = str.maketrans("{}$\\", "    ")


def scale_word(text: str) -> int | None:
    """What `hundred`, `thousand`, `million`, `billion`, `trillion` or `dozen` multiplies by."""
    if len(text) > MAX_CHARS:
        return None
    bare = _FONT.sub(" ", _SPACES.sub(" ", text)).translate(_NO_DRESS).strip()
    return _SCALES.get(bare.lower())


@lru_cache(maxsize=4096)
def scaled_unit(text: str) -> tuple[int, Unit | None] | None:
    """Scale words and then a unit or nothing: `million dollars` is (1000000, dollar).

    None when neither is there, or when what follows the scale words is no unit.
    """
    bare = _bare(text) if len(text) <= MAX_CHARS else None
    if bare is None:
        return None
    words, factor, first = bare.split(), 1, 0
    while first < len(words) and words[first].lower() in _SCALES:
        factor *= _SCALES[words[first].lower()]
        first += 1
    if not first:
        unit = read_unit(text)
        return None if unit is None else (1, unit)
    if first == len(words):
        return factor, None
    rest = " ".join(words[first:])
    unit = read_unit("\\$" if rest == "$" else rest)
    return None if unit is None else (factor, unit)


@lru_cache(maxsize=4096)
def read_unit(text: str) -> Unit | None:
    r"""The unit that the whole text names, or None.

    A word of one or two letters that is no known unit counts as a thing only in `\text{}`.
    """
    if not text or len(text) > MAX_CHARS:
        return None
    bare = _bare(text)
    if not bare:
        return None
    tokens: list[_Token] = []
    at = 0
    while at < len(bare):
        found = _TOKEN.match(bare, at)
        if found is None:
            return None
        word, power, superscript, sign, money = found.groups()
        if superscript:
            power = superscript.translate(_SUPERSCRIPTS)
            if not re.fullmatch("-?[0-9]{1,2}", power):
                return None
        if power is not None:
            # `^` belongs to the name right before it.
            if not tokens or tokens[-1].kind != "word" or tokens[-1].power is not None:
                return None
            tokens[-1] = _Token("word", tokens[-1].text, int(power))
        elif word or money:
            if word and not word.translate(_JOINTS).isalpha():  # `½` is a letter to a pattern
                return None
            tokens.append(_Token("word", word or money))
        else:
            tokens.append(_Token(sign))
        at = found.end()
    if tokens[0].kind not in ("word", "("):
        return None
    reader = _Reader(tokens, "\\" in text)
    unit = reader.product()
    return unit if reader.at == len(tokens) else None


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """`word`, or the sign itself."""
    text: str = ""
    power: int | None = None


class _Reader:
    """Reads phrases of words joined by `/`, `per`, `·` and brackets, from left to right."""

    def __init__(self, tokens: list[_Token], dressed: bool) -> None:
        self.tokens = tokens
        self.dressed = dressed
        self.at = 0

    def product(self) -> Unit | None:
        """One unit up to the end or to a closing bracket."""
        unit: Unit | None = None
        sign = 1
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind == ")":
                break
            if token.kind == "(":
                self.at += 1
                factor = self.product()
                if self.at == len(self.tokens):  # never closed
                    return None
                self.at += 1
            else:
                factor = self.phrase(unit is not None)
            if factor is None:
                return None
            unit = factor if unit is None and sign > 0 else _times(unit, factor, sign)
            if unit is None or self.at == len(self.tokens):
                return unit
            following = self.tokens[self.at]
            if following.kind == ")":
                break
            if following.kind == "(":  # `m(s)`: a call or a product, who knows
                return None
            if following.kind != "word":
                self.at += 1
                if self.at == len(self.tokens) or self.tokens[self.at].kind not in ("word", "("):
                    return None
            sign = -1 if following.kind in ("/", "word") else 1
            if following.kind == "word":  # `per`, `a`, `an`: the phrase stopped there
                self.at += 1
                if self.at == len(self.tokens):
                    return None
        return unit

    def phrase(self, below: bool) -> Unit | None:
        """Words up to an operator, a bracket or `per`."""
        begin = self.at
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            low = token.text.lower()
            if token.kind != "word" or (low == "per" and token.text != "PER"):
                break
            # `miles an hour`; but never `A`, which is the ampere.
            if token.text in ("a", "an") and self.at > begin:
                break
            self.at += 1
        words = self.tokens[begin : self.at]
        if not words and not below and self.at < len(self.tokens):
            # `per hour`: nothing above it
            self.at += 1
            under = self.phrase(True)
            return None if under is None else _power(under, -1)
        return _phrase(words, below, self.dressed) if 0 < len(words) <= 8 else None


def _phrase(words: list[_Token], below: bool, dressed: bool) -> Unit | None:
    unit = _measure(words, below)
    if unit is not None:
        return unit
    texts = [word.text for word in words]
    if any(word.power is not None for word in words):
        return None
    low = [text.lower() for text in texts]
    if low[:2] == ["degrees", "of"]:  # of freedom
        return None
    if "of" in low[1:-1]:
        middle = low.index("of", 1)
        unit = _phrase(words[:middle], below, dressed)
        stuff = _thing(texts[middle + 1 :], True)
        return None if unit is None or stuff is None or unit.of else replace(unit, of=stuff)
    if len(words) > 1 and low[-1] in _TRAILING:
        cut = -2 if low[-2:] == ["in", "total"] and len(words) > 2 else -1
        unit = _phrase(words[:cut], below, dressed)
        # `5 units left` may be a direction.
        if unit is None or (low[-1] == "left" and unit.dimension[0][0] in ("length", "unit")):
            return None
        return unit
    name = _thing(texts, dressed)
    return None if name is None else Unit(name, "thing", ((f"#{name}", 1),))


def _measure(words: list[_Token], below: bool) -> Unit | None:
    """A product of units of measurement, with `square` before and `squared` behind."""
    unit: Unit | None = None
    at, count = 0, 0
    while at < len(words):
        token, low = words[at], words[at].text.lower()
        power = 2 if low in ("square", "sq") else 3 if low in ("cubic", "cu") else 0
        if power:
            if token.power is not None or at + 1 == len(words):
                return None
            at += 1
            token = words[at]
            if token.power is not None:
                return None
        one: Unit | None = None
        if at + 1 < len(words) and token.power is None:
            pair = f"{token.text.lower()} {singular(words[at + 1].text.lower())}"
            if pair in _PAIRS:
                name = pair.replace(" ", "_")
                one = _table()[_PAIR_NAMES.get(name, name)]
                at += 1
                token = words[at]
        if one is None:
            one = _named(token.text) or _hyphened(token.text)
        if one is None:
            return None
        if token.power is not None:
            power = token.power
        elif at + 1 < len(words) and words[at + 1].text.lower() in ("squared", "cubed"):
            if power:
                return None
            at += 1
            if words[at].power is not None:
                return None
            power = 2 if words[at].text.lower() == "squared" else 3
        factor = one if not power else _power(one, power)
        if factor is None or token.power == 0:
            return None
        unit = factor if unit is None else _times(unit, factor, 1)
        if unit is None:
            return None
        at += 1
        count += 1
    # `J/kg K`: whether K is above or below, only the writer knows.
    return None if below and count > 1 else unit


def _hyphened(word: str) -> Unit | None:
    """`kilowatt-hours`, `foot-pounds`."""
    if "-" not in word:
        return None
    parts = word.split("-")
    return _measure([_Token("word", part) for part in parts], False) if all(parts) else None


def _thing(words: list[str], dressed: bool) -> str | None:
    """The normal name of a counted thing, or None where the words may say anything else."""
    if not 0 < len(words) <= 4:
        return None
    # Capitals within a word tell apart: `MeV` and `meV`.
    low = [
        word if any(map(str.isupper, word[1:])) and not word.isupper() else word.lower()
        for word in (word.replace("’", "'") for word in words)
    ]
    if any(word in _NO_THING for word in low):
        return None
    # A letter or two without dress is a product of variables, not a word.
    if max(map(len, words)) < (2 if dressed else 3):
        return None
    # Of `5 kg apples` nobody knows whether apples or kilograms are counted; `5 dollar bills` are.
    if len(words) > 1 and (len(low[0]) < 3 or low[0] != singular(low[0])):
        unit = _named(words[0])
        if unit is not None and unit.kind != "generic":
            return None
    low[-1] = singular(low[-1])
    return " ".join(low)


def _times(unit: Unit | None, other: Unit, sign: int) -> Unit | None:
    """The product (or, with sign -1, the quotient); no offset, no second meaning survives it."""
    if unit is None:
        return _power(other, -1)
    powers = dict(unit.dimension)
    for base, exponent in other.dimension:
        powers[base] = powers.get(base, 0) + sign * exponent
    factor = Fraction(*unit.factor) * Fraction(*other.factor) ** sign
    return Unit(
        f"{unit.name}{'/' if sign < 0 else '·'}{other.name}",
        "measure",
        tuple(sorted((base, exponent) for base, exponent in powers.items() if exponent)),
        (factor.numerator, factor.denominator),
        degrees=unit.degrees + sign * other.degrees,
        of=unit.of or other.of,
    )


def _power(unit: Unit, exponent: int) -> Unit | None:
    if exponent == 1:
        return unit
    if exponent == 0 or abs(exponent) > 12 or unit.offset != (0, 1):
        return None
    factor = Fraction(*unit.factor) ** exponent
    return Unit(
        f"{unit.name}^{exponent}",
        "generic" if unit.kind == "generic" else "measure",
        tuple((base, power * exponent) for base, power in unit.dimension),
        (factor.numerator, factor.denominator),
        degrees=unit.degrees * exponent,
        of=unit.of,
    )


def same_dimension(one: Unit, other: Unit) -> bool:
    """Whether the two measure the same, in one of their meanings."""
    return any(_agree(a, b) for a in _meanings(one) for b in _meanings(other))


def convert(value: tuple[int, int], unit: Unit, to: Unit) -> tuple[int, int] | None:
    """The value in the other unit, exactly and in lowest terms; None when there is no such value.

    To and from units without a name (`5 units`, `5 cm`) nothing changes.
    Degrees and radians have no rational factor, so None: see `Unit.degrees`.
    """
    for a in _meanings(unit):
        for b in _meanings(to):
            if not _agree(a, b):
                continue
            # One of the two does not say all: `5 units` of what, `20 degrees` on which scale.
            if a.kind != b.kind and {a.kind, b.kind} & {"generic", "angle"}:
                return value
            if a.degrees == b.degrees:
                base = Fraction(*value) * Fraction(*a.factor) + Fraction(*a.offset)
                got = (base - Fraction(*b.offset)) / Fraction(*b.factor)
                return got.numerator, got.denominator
    return None


def _meanings(unit: Unit) -> tuple[Unit, ...]:
    return (unit,) if unit.also is None else (unit, unit.also)


def _agree(one: Unit, other: Unit) -> bool:
    if one.of and other.of and not _more_exact(one.of, other.of):
        return False
    if one.dimension == other.dimension:
        return True
    if one.kind == "thing" and other.kind == "thing":
        return _more_exact(one.name, other.name)
    for generic, named in ((one, other), (other, one)):
        if generic.kind == "generic" and len(named.dimension) == 1:
            base, exponent = named.dimension[0]
            if exponent == generic.dimension[0][1] and (base == "length" or base[0] == "#"):
                return True
        if generic.name == "degree" and named.name in ("celsius", "fahrenheit"):
            return True
    return False


def _more_exact(one: str, other: str) -> bool:
    """`red marble` and `marble` agree; `red marble` and `blue marble` do not."""
    return one == other or one.endswith(f" {other}") or other.endswith(f" {one}")
