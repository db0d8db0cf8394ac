"""Circuits for datasets whose columns share ciphertexts: what is multiplied is extracted first.

A circuit is built as if every column were alone, then taken apart here: every sum of columns that a product or a larger
sum uses becomes a stage of degree 1, which is the trace of :mod:`app.core.query.extraction`. One factor of a cell's
last product may stay as it is, shifted: the sum over the slots needs no more. Where none stays, the sum counts every
patient R times, and the factor of the cell has 1/R.

Cells of one mask whose columns share a ciphertext can share the product as well: mask · ciphertext has all of their
numbers, that of the column at place r as its coefficient r, so X^(−r) times it is the cell's. That is done where it
saves products.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from app.core.query.circuit import Circuit, ColumnNode, ProductNode, StageNode, SumNode
from app.core.query.extraction import weights_of
from app.core.query.gates import Drawn
from app.core.query.plan import DatasetShape, centred


class Apart:
    """Takes the cells of one circuit apart, for one dataset."""

    def __init__(self, circuit: Circuit, dataset: DatasetShape) -> None:
        self._circuit = circuit
        self._columns = dataset.columns
        self._sharing = dataset.columns_per_ciphertext
        self._places = {column: place for place, column in enumerate(dataset.columns)}
        self._modulus = circuit.model.parameters.plain_modulus
        self._values: dict[int, int] = {}

    def cells(self, drawn: Sequence[Drawn]) -> list[Drawn]:
        """Return the same cells, made of extracted values and of shifted columns."""
        uses: Counter[int] = Counter()
        for root in {each.root for each in drawn if each.root is not None}:
            node = self._circuit.nodes[root]
            if isinstance(node, ProductNode):
                uses.update((node.left, node.right))
        alone = [self._cell(each, uses) for each in drawn]
        shared = [self._shared(each, uses) for each in drawn]
        products = {root for each in shared for root in ([] if each.root is None else [each.root])}
        products |= {root for each in shared for root, _, _ in each.shares}
        return shared if len(products) < len({each.root for each in alone} - {None}) else alone

    def _cell(self, drawn: Drawn, uses: Counter[int]) -> Drawn:
        if drawn.root is None:
            return drawn
        if (found := self._kept(drawn.root, uses)) is not None:
            kept, other = found
            return replace(drawn, root=self._circuit.product(self._value(other), self._shifted(kept)))
        part = pow(self._sharing, -1, self._modulus)
        return replace(drawn, root=self._value(drawn.root), factor=drawn.factor * part % self._modulus)

    def _shared(self, drawn: Drawn, uses: Counter[int]) -> Drawn:
        """Return the cell made of products that others may share; as :meth:`_cell` where it cannot be."""
        found = None if drawn.root is None else self._kept(drawn.root, uses)
        form = None if found is None else self._terms(found[0])
        if found is None or form is None:
            return self._cell(drawn, uses)
        shares: Counter[tuple[int, int]] = Counter()
        for column, weight in form.items():
            group, place = divmod(self._places[column], self._sharing)
            first = self._circuit.column(self._columns[group * self._sharing])
            shares[self._circuit.product(self._value(found[1]), first), place] += weight
        return replace(drawn, root=None, shares=tuple((*each, weight) for each, weight in sorted(shares.items())))

    def _kept(self, root: int, uses: Counter[int]) -> tuple[int, int] | None:
        """Return the factor of a product that stays shifted, and the other; None if the root is no such product."""
        node = self._circuit.nodes[root]
        if not isinstance(node, ProductNode):
            return None
        # what other cells multiply as well is extracted for all of them
        kept, other = sorted((node.right, node.left), key=lambda each: (not self._is_form(each), uses[each]))
        return (kept, other) if self._is_form(kept) else None

    def _terms(self, form: int) -> dict[tuple[str, str], int] | None:
        """Return a form's columns and weights; None if it has a constant."""
        node = self._circuit.nodes[form]
        terms = node.terms if isinstance(node, SumNode) else ((form, 1),)
        if isinstance(node, SumNode) and node.constant:
            return None
        columns = [(self._circuit.nodes[number], weight) for number, weight in terms]
        return {node.column: weight for node, weight in columns if isinstance(node, ColumnNode)}

    def _is_form(self, number: int) -> bool:
        """Whether a node is a sum of columns, and perhaps a constant."""
        match self._circuit.nodes[number]:
            case ColumnNode():
                return True
            case SumNode(terms, _):
                return bool(terms) and all(self._is_column(each) for each, _ in terms)
            case _:
                return False

    def _is_column(self, number: int) -> bool:
        return isinstance(self._circuit.nodes[number], ColumnNode)

    def _shifted(self, number: int) -> int:
        """Return a form to be left as it is: columns are R-th parts there, and so must its constant be."""
        node = self._circuit.nodes[number]
        if not isinstance(node, SumNode) or not node.constant:
            return number
        part = pow(self._sharing, -1, self._modulus)
        return self._circuit.sum(dict(node.terms), centred(node.constant * part, self._modulus))

    def _value(self, number: int) -> int:
        """Return the node that is ``number`` with every column extracted."""
        if number not in self._values:
            self._values[number] = self._made(number)
        return self._values[number]

    def _made(self, number: int) -> int:
        circuit = self._circuit
        match circuit.nodes[number]:
            case ColumnNode():
                return circuit.extracted(number, self._sharing)
            case ProductNode(left, right):
                return circuit.product(self._value(left), self._value(right))
            case StageNode(inner):
                return circuit.stage(self._value(inner))
            case SumNode(terms, constant):
                weights = Counter({self._value(each): weight for each, weight in terms if not self._is_column(each)})
                columns = {each: weight for each, weight in terms if self._is_column(each)}
                if columns:
                    factor, form = weights_of(columns)
                    weights[circuit.extracted(circuit.sum(form), self._sharing)] += factor
                return circuit.sum(weights, constant)
