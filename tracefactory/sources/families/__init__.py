"""Procedural families: problems made from parameters, with exact references."""

from tracefactory.sources.families import (
    addition,
    base_conversion,
    gcd,
    linear_equation,
    modular_arithmetic,
    modular_sum,
    polynomial,
    program_output,
    small_programs,
)
from tracefactory.sources.families.base import Family

FAMILIES: dict[str, Family] = {
    "modular_sum": modular_sum.FAMILY,
    "modular_arithmetic": modular_arithmetic.FAMILY,
    "addition": addition.FAMILY,
    "linear_equation": linear_equation.FAMILY,
    "gcd": gcd.FAMILY,
    "base_conversion": base_conversion.FAMILY,
    "polynomial": polynomial.FAMILY,
    "program_output": program_output.FAMILY,
    "small_programs": small_programs.FAMILY,
}
