"""The loops of tokens.py and signature.py, compiled by numba. Import through fast.py.

What is computed is said there, and every number here is the same; a test compares them.
"""
# ruff: noqa: ANN001, ANN201, ANN202
# mypy: ignore-errors
# pyright: basic

import numba
import numpy as np

from tracefactory.nearness import signature
from tracefactory.nearness import tokens as plain
from tracefactory.nearness.spec import BINS, WORDS

_jit = numba.njit(cache=True, nogil=True)
_A, _B, _C = np.uint64(plain._A), np.uint64(plain._B), np.uint64(plain._C)
_U0, _U1, _U2, _U29, _U32, _U33, _U56 = (np.uint64(n) for n in (0, 1, 2, 29, 32, 33, 56))
_ONES = np.uint64(0x0101010101010101)
_HIGH, _SEVEN = np.uint64(0x8080808080808080), np.uint64(0x7F7F7F7F7F7F7F7F)
_FROM_A, _PAST_Z = _ONES * np.uint64(0x80 - 0x41), _ONES * np.uint64(0x80 - 0x5B)
_FROM_SMALL_A, _PAST_SMALL_Z = _ONES * np.uint64(0x80 - 0x61), _ONES * np.uint64(0x80 - 0x7B)
_F0, _F1, _F2 = (np.uint64(f) for f in signature.FACTORS)
_M0, _M1 = (np.uint64(f) for f in signature.MIXERS)
_LOW = np.uint64(0xFFFFFFFF)
_EMPTY = np.uint32(0xFFFFFFFF)
_N_BINS = np.uint64(BINS)
_CLASSES = plain.CLASSES
_LAYOUT, _SAME, _FRAC = plain._LAYOUT_HASHES, plain._SAME_HASHES, plain._FRAC
_LETTER, _DIGIT, _SIGN, _DOT = 1, 2, 3, 4
_HYPHEN, _STAR, _BACKSLASH, _CLOSE = 45, 42, 92, 41
_N = WORDS


@_jit
def _has(sorted_, value):
    low, high = 0, len(sorted_)
    while low < high:
        middle = (low + high) // 2
        if sorted_[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low < len(sorted_) and sorted_[low] == value


@_jit
def _class_at(data, at, start, end):
    kind = _CLASSES[data[at]]
    if kind < _DOT:
        return kind
    if at == start:
        return 0
    before = data[at - 1]
    if kind == _DOT:
        if at + 1 < end and _CLASSES[before] == _DIGIT and _CLASSES[data[at + 1]] == _DIGIT:
            return _DIGIT
        return 0
    if _CLASSES[before] == _DIGIT or before == _CLOSE:
        return _SIGN
    return 0


@_jit
def _lowered(w):
    """Eight bytes, capitals made small."""
    seven = w & _SEVEN
    capital = (seven + _FROM_A) & ~(seven + _PAST_Z) & ~w & _HIGH
    return w | (capital >> _U2)


@_jit
def _letters(w):
    """How many of eight lowered bytes are letters, up to the first that is none."""
    seven = w & _SEVEN
    none = ~(((seven + _FROM_SMALL_A) & ~(seven + _PAST_SMALL_Z)) | w) & _HIGH
    if none == _U0:
        return 8
    lowest = none & (~none + _U1)
    return np.int64((((lowest - _U1) & _ONES) * _ONES) >> _U56) - 1


@_jit
def _tokens(data, window, offsets, hashes, kinds, places):
    n = 0
    for text in range(len(offsets) - 1):
        at, start, end = offsets[text], offsets[text], offsets[text + 1]
        pending = n  # first of the - and * that may prove to be no operators
        plain_before = True
        while at < end:
            kind = _class_at(data, at, start, end)
            if kind == 0:
                at += 1
                continue
            first = at
            at += 1
            if kind == _SIGN:
                h = (_A ^ np.uint64(data[first])) * _B
            elif kind == _LETTER:
                w = _lowered(window[first])
                n_letters = min(_letters(w), end - first)
                at = first + n_letters
                if n_letters < 8:
                    h = np.uint64(n_letters) * _A
                    h = (h ^ (w & ((_U1 << np.uint64(8 * n_letters)) - _U1))) * _B
                else:
                    more = 8
                    while more == 8 and at < end:
                        more = min(_letters(_lowered(window[at])), end - at)
                        at += more
                    h = np.uint64(at - first) * _A
                    block = first
                    while at - block > 8:
                        h = (h ^ _lowered(window[block])) * _B
                        h ^= h >> _U32
                        block += 8
                    w = _lowered(window[block])
                    if at - block < 8:
                        w &= (_U1 << np.uint64(8 * (at - block))) - _U1
                    h = (h ^ w) * _B
            else:
                while at < end:
                    nearby = _CLASSES[data[at]]
                    if nearby == _DOT:
                        nearby = _class_at(data, at, start, end)
                    if nearby != _DIGIT:
                        break
                    at += 1
                h = np.uint64(at - first) * _A
                block = first
                while at - block > 8:
                    h = (h ^ window[block]) * _B
                    h ^= h >> _U32
                    block += 8
                w = window[block]
                if at - block < 8:
                    w &= (_U1 << np.uint64(8 * (at - block))) - _U1
                h = (h ^ w) * _B
            h ^= h >> _U32
            h *= _C
            h ^= h >> _U29
            command = kind == _LETTER and first > start and data[first - 1] == _BACKSLASH
            if command:
                if _has(_LAYOUT, h):
                    continue
                if _has(_SAME, h):
                    h = _FRAC
            if kind == _SIGN and (data[first] == _HYPHEN or data[first] == _STAR):
                hashes[n] = h
                kinds[n] = _SIGN
                n += 1
                continue
            is_plain = kind == _LETTER and at - first > 1 and not command
            if plain_before and is_plain:
                n = pending
            hashes[n] = h
            kinds[n] = kind
            n += 1
            pending = n
            plain_before = is_plain
        if plain_before:
            n = pending
        places[text + 1] = n
    return n


def tokens(data, offsets):
    """Hashes, kinds, and where each text's tokens start."""
    hashes = np.empty(len(data), np.uint64)
    kinds = np.empty(len(data), np.uint8)
    places = np.zeros(len(offsets), np.int64)
    room = np.zeros(len(data) + 8, np.uint8)  # words are read eight bytes at a time
    room[: len(data)] = data
    window = np.ndarray((len(data) + 1,), "<u8", room, strides=(1,))
    n = _tokens(room, window, offsets, hashes, kinds, places)
    return hashes[:n].copy(), kinds[:n].copy(), places


@_jit
def _signatures(hashes, offsets, orders, least):
    for text in range(len(offsets) - 1):
        row = least[text]
        row[:] = _EMPTY
        start, stop = offsets[text], offsets[text + 1] - _N + 1
        if stop <= start:
            continue
        for i in range(start, stop):
            h = (hashes[i] * _F0 + hashes[i + 1]) * _F1 + (hashes[i + 2] * _F0 + hashes[i + 3])
            h = h * _F2 + hashes[i + 4]
            h = (h ^ (h >> _U33)) * _M0
            h = (h ^ (h >> _U33)) * _M1
            h ^= h >> _U33
            b = ((h >> _U32) * _N_BINS) >> _U32
            value = np.uint32(h & _LOW)
            if value < row[b]:
                row[b] = value
        full = row != _EMPTY
        for b in range(len(row)):
            if not full[b]:
                for turn in range(len(row)):
                    donor = orders[b, turn]
                    if full[donor]:
                        row[b] = row[donor]
                        break


def signatures(hashes, offsets, orders):
    """One row of minima a text."""
    least = np.empty((len(offsets) - 1, BINS), np.uint32)
    _signatures(hashes, offsets, orders, least)
    return least
