"""Clusters: the geometry, the shares, and what keeps every cluster in use."""

import copy

import numpy as np
import pytest
import torch
from mapping_helpers import built, normal
from scipy import stats
from sklearn.base import clone
from sklearn.metrics import normalized_mutual_info_score

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.mappings import Clusters, Compose, Identity, OnComponents
from sklearn_intelvae.mappings._grouping import grouping

UNEVEN = torch.tensor([0.1, 0.65, 0.05, 0.2])


def cut_unevenly(shares=UNEVEN, **settings):
    g = built(Clusters(len(shares), **settings), 2)
    g.cuts[0].shares.copy_(shares)
    return g


def blobs(counts, seed=0, spread=0.3):
    """Return rows around the corners of a square, and their corner."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(len(counts)), counts)
    corners = 2 * np.array([[-1, -1], [1, 1], [-1, 1], [1, -1]])
    return corners[label] + spread * rng.standard_normal((len(label), 2)), label


@pytest.mark.parametrize("k", [2, 3, 4, 5, 10])
class TestFormula:
    def test_sectors_have_equal_mass(self, k):
        g = built(Clusters(k), 2)
        counts = torch.bincount(g.regions(normal(20000, 2)), minlength=k)
        assert stats.chisquare(counts.numpy()).pvalue > 1e-4
        torch.testing.assert_close(g.proportions, torch.full((k,), 1 / k))

    def test_value(self, k):
        """The closed form, computed in another way: by the two borders of each sector."""
        g, y = built(Clusters(k), 3).double(), normal(200, 3).double()
        sector = g.regions(y).double()
        centre = 2 * np.pi * sector / k
        distances = []
        for side in (-1, 1):
            border = centre + side * np.pi / k
            along = torch.stack([border.cos(), border.sin()], 1)
            distances.append((y[:, 0] * along[:, 1] - y[:, 1] * along[:, 0]).abs())
        step = 5 * torch.minimum(*distances) ** 0.2
        expected = y.clone()
        expected[:, 0] += step * centre.cos()
        expected[:, 1] += step * centre.sin()
        torch.testing.assert_close(g(y), expected, rtol=1e-5, atol=1e-5)

    def test_it_is_continuous_across_borders(self, k):
        """The map is Hoelder continuous only: a step of e may move z by about 2 c e^p."""
        border = np.pi / k
        near = torch.tensor(
            [[np.cos(border + e), np.sin(border + e)] for e in (-1e-9, 1e-9)], dtype=torch.float64
        )
        z = built(Clusters(k), 2)(near)
        assert (z[0] - z[1]).norm() < 2 * 5 * (1e-7) ** 0.2

    def test_it_is_injective(self, k):
        """On one ray, which stays in its sector, the map is monotone."""
        radius = torch.linspace(0.01, 3, 50)[:, None]
        angle = torch.tensor(0.4 * np.pi / k)
        z = built(Clusters(k), 2)(radius * torch.stack([angle.cos(), angle.sin()]))
        assert (z.norm(dim=1).diff() > 0).all()


def test_two_clusters_leave_hardly_any_mass_between_them():
    z = built(Clusters(2), 1)(normal(200000, 1))
    assert float((z.abs() < 1).float().mean()) < 1e-3
    y = normal(100, 1)
    torch.testing.assert_close(
        built(Clusters(2, shift=2, power=0.5), 1)(y), y + 2 * y.sign() * y.abs().sqrt()
    )


@pytest.mark.parametrize("shares", [UNEVEN, torch.tensor([0.9, 0.1]), torch.tensor([0.02, 0.98])])
def test_sectors_have_the_mass_of_their_shares(shares):
    g = cut_unevenly(shares)
    counts = torch.bincount(g.regions(normal(20000, 2)), minlength=len(shares))
    expected = shares.double().numpy() / shares.double().sum().item()
    assert stats.chisquare(counts.numpy(), 20000 * expected).pvalue > 1e-4


def test_uneven_sectors_keep_their_rows_and_open_gaps():
    g, y = cut_unevenly(), normal(5000, 2)
    z = g(y)
    assert torch.equal(g.regions(z), g.regions(y))
    near_border = (g.cuts[0].depth(z).max(dim=1).values < 0.3).float().mean().item()
    assert near_border < 0.1 < (g.cuts[0].depth(y).max(dim=1).values < 0.3).float().mean().item()


@pytest.mark.parametrize("sizes", [(2, 3), (3, 2), (2, 2, 2)])
def test_several_numbers_cut_several_planes(sizes):
    d = 2 * len(sizes) - (sizes[-1] == 2)
    g, y = built(Clusters(sizes), d), normal(20000, d)
    parts = [built(Clusters(n), 2).regions(y[:, 2 * i : 2 * i + 2]) for i, n in enumerate(sizes)]
    expected = np.ravel_multi_index([part.numpy() for part in parts], sizes)
    assert np.array_equal(g.regions(y).numpy(), expected)
    assert len(g.proportions) == np.prod(sizes)
    with pytest.raises(ValueError, match=f"needs n_components of at least {d}, got {d - 1}"):
        Clusters(sizes).build(d - 1)


def test_one_cluster_is_a_plain_vae():
    y = normal(20, 2)
    assert torch.equal(built(Clusters(1), 2)(y), y)
    assert not built(Clusters(1), 2).regions(y).any()


@pytest.mark.parametrize("n_clusters", [3, 10])
def test_one_component_cannot_hold_more_than_two_clusters(n_clusters):
    with pytest.raises(ValueError, match="needs n_components of at least 2, got 1"):
        Clusters(n_clusters).build(1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_clusters", 0),
        ("n_clusters", (3, -1)),
        ("n_clusters", ()),
        ("n_clusters", 2.5),
        ("power", 0.0),
        ("power", 1.0),
    ],
)
def test_settings_without_a_meaning_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        Clusters(**{name: value}).build(6)


class TestTraining:
    def test_the_step_grows_in_training_only(self):
        g, y = built(Clusters(4), 2), normal(20, 2)
        full = g(y)
        for fraction in (0.0, 0.5):
            g.warm_up(fraction)
            assert torch.equal(g(y), y)
        g.warm_up(0.75)
        assert not torch.equal(g(y), y)
        assert torch.equal(g.eval()(y), full)
        assert torch.equal(built(clone(g), 2)(y), full)

    def test_without_guidance_empty_sectors_cost(self):
        g = built(Clusters(5, balance=2.0), 2)
        assert g.penalty(normal(2000, 2), None).item() == 0
        lumped = torch.tensor([[3.0, 0.0]]).expand(10, 2).clone().requires_grad_()
        cost = g.penalty(lumped, None)
        assert 2.0 < cost.item() <= 10
        cost.backward()
        assert lumped.grad.abs().sum().item() > 0

    def test_guidance_pulls_rows_into_the_sectors_of_their_groups(self):
        X, label = blobs([100, 100, 100, 100])
        X = torch.from_numpy(X).float()
        g = built(Clusters(4), 2)
        g.initialise(X, torch.Generator().manual_seed(0))
        g.warm_up(0.0)
        y = (0.1 * normal(400, 2)).requires_grad_()
        optimizer = torch.optim.Adam([y], 0.05)
        for _ in range(100):
            optimizer.zero_grad()
            g.guide(X, y).mean().backward()
            optimizer.step()
        assert normalized_mutual_info_score(label, g.regions(y.detach()).numpy()) > 0.95
        first, lasting = g.guide(X, y).sum().item(), (g.warm_up(1.0), g.guide(X, y).sum().item())[1]
        assert lasting == pytest.approx(0.1 * first, rel=1e-4)
        assert g.penalty(y, None).item() == 0

    def test_rows_of_a_starving_group_are_pulled_harder(self):
        X, _ = blobs([100, 100, 100, 100])
        X = torch.from_numpy(X).float()
        g = built(Clusters(4), 2)
        g.initialise(X, torch.Generator().manual_seed(0))
        y = torch.tensor([[2.0, 0.3]]).expand(400, 2)
        before = g.guide(X, y)
        for _ in range(100):
            g.notice(y, None)
        ratio = g.guide(X, y) / before
        fed = g.guesses[0][torch.cdist(X, g.centres).argmin(dim=1)] == g.regions(y[:1])
        torch.testing.assert_close(ratio[fed], torch.ones(100))
        assert ratio[~fed].min().item() > 5

    def test_learned_shares_follow_what_is_mapped(self):
        g = built(Clusters(2, learn_proportions=True), 1)
        y = torch.linspace(-1, 1, 101)[:, None] + 0.6
        for step in range(1, 401):
            g.warm_up(min(1.0, step / 200))
            rows = y - y.median() + torch.erfinv(2 * (1 - g.proportions[0]) - 1) * 2**0.5 + 0.3
            g.notice(rows, None)
        assert g.proportions[0].item() == pytest.approx(0.65, abs=0.01)
        fixed = built(Clusters(2), 1)
        fixed.warm_up(1.0)
        fixed.notice(y + 5, None)
        assert fixed.proportions.tolist() == [0.5, 0.5]

    def test_guidance_survives_a_copy_of_the_weights(self):
        X = torch.from_numpy(blobs([50, 50])[0]).float()
        g = built(Clusters(2), 2)
        g.initialise(X, torch.Generator().manual_seed(0))
        again = built(Clusters(2), 2)
        again.load_state_dict(copy.deepcopy(g.state_dict()))
        y = normal(100, 2)
        assert torch.equal(again.guide(X, y), g.guide(X, y))


class TestGrouping:
    @pytest.mark.parametrize("counts", [[500, 500], [950, 50], [300, 300, 300, 100]])
    def test_groups_of_any_size_are_found(self, counts):
        X, label = blobs(counts)
        groups = grouping(X, len(counts), 0)
        nearest = ((X[:, None] - groups.centres) ** 2).sum(axis=2).argmin(axis=1)
        assert normalized_mutual_info_score(label, groups.group[nearest]) > 0.95
        np.testing.assert_allclose(np.sort(groups.shares), np.sort(counts) / sum(counts), atol=0.01)

    def test_neighbours_in_number_are_neighbours_in_space(self):
        rng = np.random.default_rng(0)
        X = np.repeat(rng.permutation(6), 100)[:, None] + 0.05 * rng.standard_normal((600, 1))
        groups = grouping(X, 6, 0)
        means = [groups.centres[groups.group == k].mean() for k in range(6)]
        assert np.all(np.diff(means) > 0) or np.all(np.diff(means) < 0)

    @pytest.mark.parametrize("k", [3, 4])
    def test_ties_leave_no_group_empty(self, k):
        for n in (8, 10, 16):
            groups = grouping(np.repeat(np.arange(float(n)), 3)[:, None], k, 0)
            assert np.bincount(groups.group, minlength=k).min() > 0
            assert groups.shares.min() > 0

    def test_too_few_distinct_rows_give_none(self):
        assert grouping(np.ones((20, 3)), 2, 0) is None


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_learned_proportions_are_those_of_the_data(share, seed):
    n = 600
    X, label = blobs([int(share * n), n - int(share * n)], seed)
    g = Clusters(2, learn_proportions=True)
    vae = InteLVAE(1, mapping=g, random_state=seed).fit(X)
    assert min(vae.module_.mapping.proportions).item() == pytest.approx(share, abs=0.02)
    generated = vae.sample(5000)[:, 0] > 0
    assert min(generated.mean(), 1 - generated.mean()) == pytest.approx(share, abs=0.03)
    assert normalized_mutual_info_score(label, vae.predict(X)) > 0.9


def test_learned_proportions_follow_the_weights_of_the_rows():
    X, label = blobs([150, 150])
    g = Clusters(2, learn_proportions=True)
    small = dict(hidden_layer_sizes=(32,), max_iter=100, learning_rate_init=3e-3, random_state=0)
    vae = InteLVAE(1, mapping=g, **small).fit(X, sample_weight=np.where(label == 0, 9, 1))
    heavy = np.bincount(vae.predict(X[label == 0])).argmax()
    assert vae.module_.mapping.proportions[heavy].item() == pytest.approx(0.9, abs=0.03)
    generated = vae.predict(vae.sample(2000)) == heavy
    assert generated.mean() == pytest.approx(0.9, abs=0.05)


def test_mappings_made_of_mappings_pass_on_what_is_noticed():
    y, weight = normal(200, 3), torch.arange(200.0)
    seen = []
    for wrapped in (
        Compose(Clusters(4), Identity()),
        Compose(Identity(), Clusters(4)),
        OnComponents(Clusters(4), (0, 1)),
        Clusters(4),
    ):
        g = built(wrapped, 3)
        g.notice(y, weight)
        (cut,) = [part for part in g.modules() if hasattr(part, "seen")]
        seen.append(cut.seen)
    assert all(torch.equal(s, seen[0]) for s in seen)
    assert not torch.equal(seen[0], torch.full((4,), 0.25))
    g(y)
    assert torch.equal(cut.seen, seen[0])
