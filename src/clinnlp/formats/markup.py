"""The text of HTML and of C-CDA narrative: markup left out, a line a block, a tab between cells."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

BLOCKS = frozenset((
    "address", "article", "blockquote", "body", "br", "caption", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3",
    "h4", "h5", "h6", "header", "hr", "item", "li", "list", "ol", "p", "paragraph", "pre", "section", "table", "tbody",
    "tfoot", "thead", "title", "tr", "ul",
))  # fmt: skip
CELLS = frozenset(("td", "th"))
HIDDEN = frozenset(("script", "style", "template", "head", "renderMultiMedia"))


class Lines:
    """Gathers text into lines; runs of spaces become one, as a browser shows them."""

    def __init__(self) -> None:
        self._lines: list[list[str]] = [[]]
        self._hidden = 0

    def begin(self, tag: str) -> None:
        """Begin an element."""
        if tag == "body":  # a head need not be closed
            self._hidden = 0
        if tag in HIDDEN:
            self._hidden += 1
        elif tag in BLOCKS:
            self._lines.append([])
        elif tag in CELLS and self._text(self._lines[-1]):
            self._lines[-1].append("\t")

    def end(self, tag: str) -> None:
        """End an element."""
        if tag in HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in BLOCKS and tag != "br":
            self._lines.append([])

    def add(self, text: str) -> None:
        """Add text."""
        if not self._hidden:
            self._lines[-1].append(re.sub(r"[ \t\r\n\f]+", " ", text))

    def text(self) -> str:
        """Give the lines that are not empty."""
        return "\n".join(line for line in map(self._text, self._lines) if line)

    @staticmethod
    def _text(pieces: list[str]) -> str:
        return re.sub(" *\t *", "\t", re.sub(" +", " ", "".join(pieces))).strip(" ")


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines = Lines()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.lines.begin(tag)

    def handle_endtag(self, tag: str) -> None:
        self.lines.end(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.lines.begin(tag)
        self.lines.end(tag)

    def handle_data(self, data: str) -> None:
        self.lines.add(data)


def html_to_text(html: str) -> str:
    r"""Give the text of HTML.

    >>> html_to_text("<p>No <b>fever</b>.<br>BP<td>120/80</td></p><script>x()</script>&lt;3 mm")
    'No fever.\nBP\t120/80\n<3 mm'
    """
    parser = _Html()
    parser.feed(html)
    parser.close()
    return parser.lines.text()


def narrative_to_text(element: ElementTree.Element) -> str:
    """Give the text of the narrative block of a C-CDA section, without what a revision deleted (`revised`)."""
    lines = Lines()

    def walk(node: ElementTree.Element) -> None:
        tag = node.tag.rpartition("}")[2] if isinstance(node.tag, str) else "renderMultiMedia"  # a comment
        lines.begin(tag)
        lines.add(node.text or "")
        for child in node:
            if child.get("revised") != "delete":
                walk(child)
            lines.add(child.tail or "")
        lines.end(tag)

    walk(element)
    return lines.text()
