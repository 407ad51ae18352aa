"""Where the infra repository decides a setting of a workload: one place, or several that cannot be told apart.

A setting is a ConfigMap key (also inside a file that the ConfigMap holds), a literal or file of a kustomize generator,
a container's variable, a Helm value, or a feature flag. Secrets are never settings.
"""

from __future__ import annotations

from gitops_sre.gitops.configuration import chart
from gitops_sre.gitops.configuration.folder import builds
from gitops_sre.gitops.configuration.owners import Owners
from gitops_sre.gitops.files import Files
from gitops_sre.model.change import Field
from gitops_sre.model.target import Target
from gitops_sre.yamltext import Path, YamlTextError

__all__ = ["setting_owners"]


def setting_owners(files: Files, target: Target, key: str) -> list[tuple[Field, ...]]:
    """The strongest places that decide a setting: none, one, or several that cannot be told apart.

    `key` is its name, or a dotted path where the name alone is not unique: `LOG_LEVEL`, `web.LOG_LEVEL` (of a container
    or ConfigMap), `server.timeout` (inside a file of a ConfigMap, or a Helm value), a flag's name. The fields of one
    flag's definition (state, default variant, variants, targeting) come together. A field's reason says so when running
    pods would keep the old value until they restart. Raises YamlTextError, with the reason, when the place is known
    and must not or cannot be edited.
    """
    found = [Owners(build, target) for build in builds(files, target, key)]
    mine = [each for each in found if each.holds_workload]
    places = {_places(fields): fields for each in mine or found for fields in each.of(key)}
    folder = target.source.path
    if not places and (template := chart.mentions(files, folder, key.rpartition(".")[2])):
        raise YamlTextError(f"{template}: a template writes it, and no value file sets {key}; edit it by hand")
    return list(places.values())


def _places(fields: tuple[Field, ...]) -> tuple[tuple[str, int, Path], ...]:
    return tuple((field.file, field.document, field.path) for field in fields)
