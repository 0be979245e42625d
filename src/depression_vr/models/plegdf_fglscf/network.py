"""PLEGDF-FGLSCF and, by its arguments, its ablations. Source: see the package."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, cast, overload

from torch import Tensor, nn

from depression_vr.errors import UserError
from depression_vr.models.float32 import Float32Linear
from depression_vr.models.layers import initialise
from depression_vr.models.plegdf_fglscf.fusion import FUSIONS, Gates
from depression_vr.models.plegdf_fglscf.relations import RegionRelations
from depression_vr.models.plegdf_fglscf.slim_resnet import EXPANSION, Bottleneck, SlimResNet3d


class Related(NamedTuple):
    """What the network puts out, and what it weighed on the way.

    Attributes:
        y: one unbounded number per clip, ``(B,)``.
        relations: a weight in 0..1 of every position of the whole face's map, ``(B, 1, T, H, W)``, by stage;
            none where no regions are related.
        gates: of the fusion; None where it has none.
    """

    y: Tensor
    relations: dict[int, Tensor]
    gates: Gates | None


class PlegdfFglscf(nn.Module):
    """A stream of the whole face with relations between its regions, a local stream, and their fusion.

    Args:
        size: height and width in pixels of the views; one number for a square. The relations are tied to it.
        fusion: ``fglscf``, ``concat``, ``sum``, or one stream alone: ``global_only``, ``local_only``.
        plegdf_stages: stages of the global stream, 1 the first, behind which regions are related; none leaves
            it as plain as the local one.
        base_planes: width F; the stages have planes F, 2F, 4F, 8F.
        layers: blocks per stage.
        reduction: of channels and relations within the relation modules.
        dropout: probability, 0..1.
        dropout_on: ``features``, before the linear layer, or ``score``, behind it, where dropout only adds
            noise to the estimate.
        norm_momentum: weight of a new batch in the running statistics, 0..1.
        small_start: residual blocks start as their shortcuts (Goyal et al., "Accurate, Large Minibatch SGD",
            2017) and estimates near 0, so that few videos are enough to begin with; not in the description.
            Otherwise batch norms and the linear layer start as torch's do.

    Raises:
        ValueError: a setting makes no network; the map behind a related stage has an odd side.
    """

    def __init__(
        self,
        size: int | Sequence[int] = 128,
        fusion: str = "fglscf",
        plegdf_stages: Sequence[int] = (1, 2, 3),
        base_planes: int = 32,
        layers: Sequence[int] = (3, 4, 6, 3),
        reduction: int = 8,
        dropout: float = 0.15,
        dropout_on: Literal["features", "score"] = "features",
        norm_momentum: float = 0.1,
        small_start: bool = False,
    ) -> None:
        super().__init__()
        if fusion not in FUSIONS:
            raise ValueError(f"fusion={fusion!r} is unknown; known are {', '.join(FUSIONS)}")
        if dropout_on not in ("features", "score"):
            raise ValueError(f"dropout_on={dropout_on!r} is unknown; known are features, score")
        if base_planes < 1 or reduction < 1:
            raise ValueError(f"base_planes={base_planes} and reduction={reduction} must be 1 or more")
        if not layers or min(layers) < 1:
            raise ValueError(f"layers={list(layers)} must be one number of 1 or more per stage")
        if not set(plegdf_stages) <= set(range(1, len(layers) + 1)):
            raise ValueError(f"plegdf_stages={list(plegdf_stages)} are not all of 1..{len(layers)}")
        sides = (size, size) if isinstance(size, int) else tuple(size)
        if len(sides) != 2:
            raise ValueError(f"size={list(sides)} must be one number or two: height and width")
        self.size = sides
        self.fusion = FUSIONS[fusion]
        self.plegdf_stages = tuple(plegdf_stages) if "global" in self.fusion.streams else ()
        self.related = len(self.plegdf_stages) > 0
        relations = {
            stage: RegionRelations(
                EXPANSION * base_planes * 2 ** (stage - 1), self._map_size(stage), reduction, norm_momentum
            )
            for stage in self.plegdf_stages
        }
        self.streams = nn.ModuleDict(
            {
                name: SlimResNet3d(base_planes, layers, norm_momentum, relations if name == "global" else {})
                for name in self.fusion.streams
            }
        )
        features = self.fusion.width * EXPANSION * base_planes * 2 ** (len(layers) - 1)
        score = Float32Linear(features, 1)
        head = (nn.Dropout(dropout), score)
        self.head = nn.Sequential(*(head if dropout_on == "features" else reversed(head)))
        initialise(self)
        if small_start:
            self._start_small(score)

    def _start_small(self, score: nn.Linear) -> None:
        for module in self.modules():
            if isinstance(module, Bottleneck):
                nn.init.zeros_(module.expand.norm.weight)
        # fused features are large: with torch's weights the first estimates are several deviations off
        nn.init.normal_(score.weight, std=1e-3)
        nn.init.zeros_(score.bias)

    def _map_size(self, stage: int) -> tuple[int, int]:
        """Height and width of the map behind a stage."""
        height, width = (-(-side // 2 ** (stage + 1)) for side in self.size)
        if height % 2 or width % 2:
            raise ValueError(
                f"views of {_by(self.size)} pixels (config key data.size) leave a map of "
                f"{_by((height, width))} behind stage {stage}, which has no four equal quadrants: use a "
                f"multiple of {2 ** (stage + 2)}, or leave the stage out of plegdf_stages"
            )
        return height, width

    @overload
    def forward(self, face: Tensor, region: Tensor) -> Tensor: ...

    @overload
    def forward(self, face: Tensor, region: Tensor, *, with_attention: Literal[True]) -> Related: ...

    def forward(self, face: Tensor, region: Tensor, *, with_attention: bool = False) -> Tensor | Related:
        """One unbounded number per clip.

        Args:
            face: the whole face, ``(B, 3, T, H, W)``, normalised.
            region: eyes to mouth of the same frames, alike.
            with_attention: whether to give the relations and gates that it computes on the way, too.

        Returns:
            y, shape ``(B,)``.

        Raises:
            UserError: regions are related, and the views have another size than the network was built for.
        """
        if self.related and face.shape[-2:] != self.size:
            raise UserError(
                f"the network was built for views of {_by(self.size)} pixels, not {_by(face.shape[-2:])}",
                where="config keys model.size and data.size",
                fix="give both the size that the network was trained with",
            )
        views = {"global": face, "local": region}
        relations: dict[int, list[Tensor]] = {stage: [] for stage in self.plegdf_stages}
        gates: list[Gates] = []
        features = [
            stream(views[name], relations if with_attention and name == "global" else None)
            for name, stream in self.streams.items()
        ]  # (B, 1024) each
        into = (gates,) if with_attention and self.fusion.gated else ()
        y = self.head(self.fusion.combine(*features, *into)).squeeze(1)
        if not with_attention:
            return y
        weights = {stage: weights for stage, (weights,) in relations.items()}
        return Related(y, weights, gates[0] if gates else None)

    def stages_by_view(self) -> tuple[tuple[nn.Module, ...], ...]:
        """The stages of the stream of each view, in front of the relations; the output of each is a map."""
        streams = (dict(self.streams).get(name) for name in ("global", "local"))
        return tuple(tuple(cast(SlimResNet3d, stream).stages) if stream else () for stream in streams)


def _by(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"
