from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dust_core.network.model import DptConfig, Dust3r, Dust3rConfig
from dust_core.network.model.cost import parameters_millions
from dust_core.network.surgery.axes import axes_of
from dust_core.network.surgery.prune import choose_units, importances, prune

WIDTHS = DptConfig(layer_dims=(8, 12, 16, 8), feature_dim=12, last_dim=8)
SHAPE = {"enc_dim": 24, "enc_depth": 2, "enc_heads": 3, "dec_dim": 16, "dec_depth": 2}


def network(head: str, seed: int = 0) -> Dust3r:
    torch.manual_seed(seed)
    dpt = WIDTHS if head == "dpt" else None
    return Dust3r(Dust3rConfig.uniform(**SHAPE, dec_heads=4, head=head, dpt=dpt)).eval()


def pair(side: int = 64) -> tuple[Tensor, Tensor]:
    images = torch.rand(2, 1, 3, side, side, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return images[0], images[1]


def same(ours: Dust3r, theirs: Dust3r) -> None:
    with torch.inference_mode():
        for a, b in zip(ours(*pair()), theirs(*pair()), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def weights_of(whole: Dust3r) -> dict[str, Tensor]:
    return {name: value.detach().abs() for name, value in whole.named_parameters()}


def kept_of(
    whole: Dust3r, rho: float, counts: str = "width", multiple: int = 1
) -> dict[str, Tensor]:
    axes = axes_of(whole.config)
    importance = importances(weights_of(whole), axes)
    return choose_units(whole.config, axes, importance, rho, counts=counts, multiple=multiple)  # type: ignore[arg-type]


@pytest.mark.parametrize("head", ["linear", "dpt"])
@pytest.mark.parametrize("counts", ["width", "parameters"])
def test_with_rho_0_the_network_stays_as_it_is(head: str, counts: str) -> None:
    whole = network(head)
    smaller = prune(whole, kept_of(whole, 0, counts))
    assert smaller.config == whole.config
    for name, value in whole.state_dict().items():
        assert torch.equal(value, smaller.state_dict()[name])


@pytest.mark.parametrize("head", ["linear", "dpt"])
def test_what_writes_and_reads_nothing_leaves_the_output_as_it_was(head: str) -> None:
    """Heads, units and convolutions that are 0 go, and no prediction moves."""
    whole = network(head)
    axes = [axis for axis in axes_of(whole.config) if axis.kind != "channels"]
    gone = {axis.name: torch.arange(axis.units)[1::2] for axis in axes}
    with torch.no_grad():
        for axis in axes:
            for place in axis.places:
                parameter = whole.get_parameter(place.parameter)
                parameter.index_fill_(place.dim, axis.along(place, gone[axis.name]), 0.0)
    smaller = prune(whole, {axis.name: torch.arange(axis.units)[::2] for axis in axes})
    assert parameters_millions(smaller) < 0.9 * parameters_millions(whole)
    same(smaller, whole)


@pytest.mark.parametrize("head", ["linear", "dpt"])
def test_channels_that_are_zero_leave_the_output_as_it_was(head: str) -> None:
    """A channel that is 0 counts in a LayerNorm, which divides by the deviation over all of them.

    Where the others have mean 0, the deviation over fewer is larger by a known factor. With that
    factor in its gain, a LayerNorm of the smaller network has the same output.
    """
    whole = network(head)
    axes = [axis for axis in axes_of(whole.config) if axis.kind == "channels"]
    kept = {axis.name: torch.arange(axis.units)[: axis.units // 2] for axis in axes}
    with torch.no_grad():
        for axis in axes:
            stays = kept[axis.name]
            gone = torch.arange(axis.units)[len(stays) :]
            for place in axis.places:
                own = whole.get_parameter(place.parameter)
                own.index_fill_(place.dim, gone, 0.0)
                if not is_norm(whole, place.parameter) and place.dim == 0:  # it writes the stream
                    own[stays] -= own[stays].mean(0)
        smaller = prune(whole, kept)
        for module in smaller.modules():
            if isinstance(module, nn.LayerNorm):
                module.weight *= 2**0.5
                module.eps *= 2
    assert (smaller.config.enc_dim, smaller.config.dec_dim) == (12, 8)
    same(smaller, whole)


def is_norm(whole: Dust3r, parameter: str) -> bool:
    return isinstance(
        whole.get_submodule(parameter.rpartition(".")[0]) if "." in parameter else None,
        nn.LayerNorm,
    )


@pytest.mark.parametrize("head", ["linear", "dpt"])
def test_every_parameter_of_a_stream_is_found(head: str) -> None:
    """No number outside the axes depends on a width: all sizes of a smaller network agree."""
    whole = network(head)
    kept = kept_of(whole, 0.5)
    smaller = prune(whole, kept)
    assert sum(map(torch.numel, smaller.parameters())) < 0.5 * sum(
        map(torch.numel, whole.parameters())
    )
    assert all(value.isfinite().all() for value in smaller(*pair()))
    assert smaller.config.enc_head_dim == whole.config.enc_head_dim


def test_the_least_important_units_go_each_decoder_its_own() -> None:
    whole = network("linear")
    with torch.no_grad():
        whole.dec_blocks[0].mlp.fc1.weight[:32] *= 0.01
        whole.dec_blocks[0].mlp.fc2.weight[:, :32] *= 0.01
        whole.dec_blocks2[0].mlp.fc1.weight[32:] *= 0.01
        whole.dec_blocks2[0].mlp.fc2.weight[:, 32:] *= 0.01
        whole.enc_blocks[1].attn.qkv.weight[8:16] = 0
        whole.enc_blocks[1].attn.qkv.weight[32:40] = 0
        whole.enc_blocks[1].attn.qkv.weight[56:64] = 0
        whole.enc_blocks[1].attn.proj.weight[:, 8:16] = 0
    kept = kept_of(whole, 0.4)
    assert set(range(32, 64)) <= set(kept["dec_blocks.0.mlp"].tolist())
    assert set(range(32)) <= set(kept["dec_blocks2.0.mlp"].tolist())
    assert kept["enc_blocks.1.attn"].tolist() == [0, 2]


@pytest.mark.parametrize("head", ["linear", "dpt"])
@pytest.mark.parametrize("rho", [0.1, 0.3, 0.5])
def test_rho_is_the_share_of_the_parameters_that_goes(head: str, rho: float) -> None:
    whole = network(head)
    smaller = prune(whole, kept_of(whole, rho, "parameters"))
    assert 1 - parameters_millions(smaller) / parameters_millions(whole) == pytest.approx(
        rho, abs=0.04
    )
    assert parameters_millions(smaller) <= (1 - rho) * parameters_millions(whole)


def test_under_a_share_of_the_parameters_what_matters_least_by_parameter_goes() -> None:
    whole = network("linear")
    with torch.no_grad():
        whole.enc_blocks[0].mlp.fc1.weight *= 0.001
        whole.enc_blocks[0].mlp.fc2.weight *= 0.001
    smaller = prune(whole, kept_of(whole, 0.04, "parameters")).config
    assert smaller.enc_ffn[0] < smaller.enc_ffn[1] == 96
    assert smaller.enc_dim == 24


def test_least_bounds_what_a_layer_loses() -> None:
    whole = network("linear")
    with torch.no_grad():
        for layer in (whole.enc_blocks[0].mlp.fc1, whole.enc_blocks[0].mlp.fc2):
            layer.weight *= 0.001
    axes = axes_of(whole.config)
    importance = importances(weights_of(whole), axes)
    for least, left in ((0.0, 8), (0.75, 72)):
        kept = choose_units(
            whole.config, axes, importance, 0.2, counts="parameters", multiple=8, least=least
        )
        assert len(kept["enc_blocks.0.mlp"]) == left


def test_more_than_the_units_hold_is_refused() -> None:
    whole = network("linear")
    axes = [axis for axis in axes_of(whole.config) if axis.kind == "heads"]
    importance = importances(weights_of(whole), axes)
    with pytest.raises(ValueError, match=r"hold less than 0\.5 of the parameters"):
        choose_units(whole.config, axes, importance, 0.5, counts="parameters", multiple=8)


@settings(max_examples=10, deadline=None)
@given(
    enc_dim=st.integers(4, 40),
    heads=st.integers(1, 5),
    depth=st.integers(1, 3),
    rho=st.floats(0, 0.9),
    multiple=st.sampled_from([1, 4, 16]),
    counts=st.sampled_from(["width", "parameters"]),
    head=st.sampled_from(["linear", "dpt"]),
)
def test_any_shape_can_be_pruned_and_still_predicts(
    enc_dim: int, heads: int, depth: int, rho: float, multiple: int, counts: str, head: str
) -> None:
    config = Dust3rConfig(
        enc_dim=enc_dim,
        enc_heads=(heads,) * depth,
        enc_ffn=tuple(range(7, 7 + depth)),
        dec_dim=enc_dim + 3,
        dec_heads=(heads,) * depth,
        dec_ffn=(9,) * depth,
        enc_head_dim=4,
        dec_head_dim=8,
        head=head,  # type: ignore[arg-type]
        dpt=replace(WIDTHS, feature_dim=enc_dim) if head == "dpt" else None,
    )
    whole = Dust3r(config)
    try:
        kept = kept_of(whole, rho, counts, multiple)
    except ValueError as error:
        assert "hold less" in str(error)
        return
    smaller = prune(whole, kept)
    assert all(value.isfinite().all() for value in smaller(*pair(32)))
    for narrow, wide in ((smaller.config.enc_dim, enc_dim), (smaller.config.dec_ffn[0], 9)):
        assert narrow == wide or narrow % min(multiple, wide) == 0
