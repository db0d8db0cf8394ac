"""Colours, type and sizes of the design, as plain values (see the design's tokens page)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

LIGHT: Mapping[str, str] = {
    "window": "#F5F6F8",
    "raised": "#FFFFFF",
    "sunken": "#ECEEF2",
    "rail": "#EDEFF3",
    "hover": "#E9EBF0",
    "hair": "#DFE2E8",
    "hair2": "#CBD0D9",
    "ctl": "#848C9A",
    "text": "#1A1E26",
    "text2": "#535B69",
    "text3": "#616978",
    "acc": "#2257C5",
    "accfill": "#2257C5",
    "accpress": "#1D4BAA",
    "onacc": "#FFFFFF",
    "accsoft": "#E7EEFC",
    "accline": "#B5C9F2",
    "pos": "#18703F",
    "possoft": "#E4F4EA",
    "cau": "#855000",
    "causoft": "#FDF1DB",
    "cauline": "#EBCF98",
    "dan": "#B3261E",
    "dansoft": "#FCECEA",
    "danline": "#F0C2BD",
    "bar": "#C3CAD6",
    "press": "#DDE0E7",
}

DARK: Mapping[str, str] = {
    "window": "#17191E",
    "raised": "#1F2229",
    "sunken": "#121418",
    "rail": "#131519",
    "hover": "#282C35",
    "hair": "#2D313A",
    "hair2": "#3E4450",
    "ctl": "#717A89",
    "text": "#E9EBEF",
    "text2": "#ABB2BF",
    "text3": "#929AA8",
    "acc": "#8DB0FF",
    "accfill": "#3A6DDF",
    "accpress": "#4D7CE6",
    "onacc": "#FFFFFF",
    "accsoft": "#212D49",
    "accline": "#3B5490",
    "pos": "#62CC90",
    "possoft": "#1A3125",
    "cau": "#EBB760",
    "causoft": "#362B16",
    "cauline": "#5E4A22",
    "dan": "#FF968C",
    "dansoft": "#3F2220",
    "danline": "#6E3833",
    "bar": "#454C5A",
    "press": "#323743",
}

PLOT_LIGHT = ("#2257C5", "#C2590A", "#71272D", "#4C91FA", "#363E76", "#A872A7")
PLOT_DARK = ("#7FA8FF", "#F2A35E", "#17E5D0", "#C04E72", "#8455EE", "#FFF4CC")


class Style(StrEnum):
    """The type styles."""

    ANSWER = "answer"
    WELCOME = "welcome"
    QUESTION = "question"
    TITLE = "title"
    SENTENCE = "sentence"
    STRONG = "strong"
    BODY = "body"
    SMALL = "small"
    CAPTION = "caption"
    CODE = "code"


@dataclass(frozen=True)
class Type:
    """A type style: its size as a ratio of the application's font, and its weight."""

    ratio: float
    weight: int = 400


TYPES: Mapping[Style, Type] = {
    Style.ANSWER: Type(3.4, 600),
    Style.WELCOME: Type(2.25, 600),
    Style.QUESTION: Type(1.55, 500),
    Style.TITLE: Type(1.3, 600),
    Style.SENTENCE: Type(1.05),
    Style.STRONG: Type(1.0, 600),
    Style.BODY: Type(1.0),
    Style.SMALL: Type(0.95),
    Style.CAPTION: Type(0.87),
    Style.CODE: Type(0.88),
}

PANE, VIEW, CARD, GAP, HALF = 16, 20, 12, 8, 4
"""Padding of panes, views and cards; the grid and its half."""

RADIUS, SMALL_RADIUS = 8, 6
HEADER, RAIL, STATUS = 52, 84, 28
