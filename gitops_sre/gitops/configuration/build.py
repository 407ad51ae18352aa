"""What a build's files say of settings, in the order in which they override each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain

from gitops_sre.gitops.configuration.entries import (
    RELEASES,
    Entry,
    Names,
    Object,
    Sheet,
    Use,
    entries,
    field,
    has_pods,
    named,
    uses,
)


@dataclass(frozen=True)
class Replaced:
    """A field that a kustomization's `replacements` fill in from elsewhere, over everything else."""

    file: str
    kind: str
    name: str
    path: str


@dataclass(frozen=True)
class Build:
    """What a build's files say of settings, under the names that the objects have after it."""

    entries: tuple[Entry, ...] = ()
    uses: tuple[Use, ...] = ()
    objects: tuple[Object, ...] = ()
    """Every object, once."""
    consumers: frozenset[Object] = frozenset()
    """Objects that have containers or hand values to a chart."""
    hashed: frozenset[Object] = frozenset()
    """ConfigMaps whose name changes with their content, so that pods restart."""
    replaced: tuple[Replaced, ...] = ()
    unclear: tuple[tuple[Object, str], ...] = ()
    """Objects of which a patch sets a container's variable that only its position names, and why that is unclear."""
    pods: tuple[tuple[Object, Sheet], ...] = ()
    """Documents with containers."""

    @classmethod
    def joined(cls, builds: Iterable[Build]) -> Build:
        """Several as one."""
        each = list(builds)
        return cls(
            tuple(chain.from_iterable(build.entries for build in each)),
            tuple(chain.from_iterable(build.uses for build in each)),
            tuple(dict.fromkeys(chain.from_iterable(build.objects for build in each))),
            frozenset(chain.from_iterable(build.consumers for build in each)),
            frozenset(chain.from_iterable(build.hashed for build in each)),
            tuple(chain.from_iterable(build.replaced for build in each)),
            tuple(chain.from_iterable(build.unclear for build in each)),
            tuple(chain.from_iterable(build.pods for build in each)),
        )

    def __add__(self, other: Build) -> Build:
        return Build.joined((self, other))

    def without(self, about: Object, names: Names = ()) -> Build:
        """Without what is set so far of an object, or of one name in it."""
        kept = (each for each in self.entries if each.object != about or (names and each.names != names))
        return replace(self, entries=tuple(kept))

    def renamed(self, prefix: str, suffix: str) -> Build:
        """After a kustomization's prefix and suffix."""
        if not (prefix or suffix):
            return self
        known = set(self.objects)

        def new(each: Object) -> Object:
            return (each[0], f"{prefix}{each[1]}{suffix}") if each in known and each[0] else each

        def moved(entry: Entry) -> Entry:
            to = entry.reference and (new(entry.reference[0]), entry.reference[1])
            return replace(entry, object=new(entry.object), reference=to)

        return Build(
            tuple(moved(entry) for entry in self.entries),
            tuple(replace(use, user=new(use.user), used=new(use.used)) for use in self.uses),
            tuple(new(each) for each in self.objects),
            frozenset(map(new, self.consumers)),
            frozenset(map(new, self.hashed)),
            self.replaced,
            tuple((new(each), why) for each, why in self.unclear),
            tuple((new(each), sheet) for each, sheet in self.pods),
        )


def of_values(sheet: Sheet, about: Object, rank: int, reason: str) -> Build:
    """What a file or part that holds nothing but a release's values sets."""
    found = ((named(sheet.leaves, path), scalar) for path, scalar in sheet.leaves.items())
    made = (Entry(about, names, field(sheet.file, scalar, reason), rank) for names, scalar in found if names)
    return Build(tuple(made), objects=(about,), consumers=frozenset({about}))


def of_sheet(sheet: Sheet, about: Object, rank: int, reason: str) -> Build:
    """What one document says of an object that it is, or patches."""
    pods = has_pods(sheet)
    return Build(
        tuple(entries(sheet, about, rank, reason)),
        tuple(uses(sheet, about)),
        (about,),
        frozenset({about} if pods or about[0] in RELEASES else ()),
        pods=((about, sheet),) if pods else (),
    )
