"""Clusters: the geometry, the shares, the guidance, and the initial clusters."""

import copy

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.base import clone
from sklearn.metrics import normalized_mutual_info_score
from sklearn.preprocessing import StandardScaler

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.datasets import make_two_gaussians
from sklearn_intelvae.mappings import Clusters, Compose, Identity, OnComponents
from sklearn_intelvae.mappings._initial_clusters import initial_clusters
from sklearn_intelvae.mappings._sectors import Sectors
from tests.mappings.mapping_helpers import built, loss_terms, normal

UNEVEN = torch.tensor([0.1, 0.65, 0.05, 0.2])


def unevenly_divided(shares=UNEVEN, **settings):
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
        """The closed form, computed from the two borders of each sector."""
        g, y = built(Clusters(k), 3).double(), normal(200, 3).double()
        sector = g.regions(y).double()
        center = 2 * np.pi * sector / k
        distances = []
        for side in (-1, 1):
            border = center + side * np.pi / k
            along = torch.stack([border.cos(), border.sin()], 1)
            distances.append((y[:, 0] * along[:, 1] - y[:, 1] * along[:, 0]).abs())
        step = 5 * torch.minimum(*distances) ** 0.2
        expected = y.clone()
        expected[:, 0] += step * center.cos()
        expected[:, 1] += step * center.sin()
        torch.testing.assert_close(g(y), expected, rtol=1e-5, atol=1e-5)

    def test_it_is_continuous_across_borders(self, k):
        """The mapping is only Hoelder continuous: a step of e may move z by about 2 c e^p."""
        border = np.pi / k
        near = torch.tensor(
            [[np.cos(border + e), np.sin(border + e)] for e in (-1e-9, 1e-9)], dtype=torch.float64
        )
        z = built(Clusters(k), 2)(near)
        assert (z[0] - z[1]).norm() < 2 * 5 * (1e-7) ** 0.2

    def test_it_is_injective(self, k):
        """On one ray, which stays in its sector, the mapping is monotone."""
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
    g = unevenly_divided(shares)
    counts = torch.bincount(g.regions(normal(20000, 2)), minlength=len(shares))
    expected = shares.double().numpy() / shares.double().sum().item()
    assert stats.chisquare(counts.numpy(), 20000 * expected).pvalue > 1e-4


def test_uneven_sectors_keep_their_rows_and_open_gaps():
    g, y = unevenly_divided(), normal(5000, 2)
    z = g(y)
    assert torch.equal(g.regions(z), g.regions(y))
    near_border = (g.cuts[0].depth(z).max(dim=1).values < 0.3).float().mean().item()
    assert near_border < 0.1 < (g.cuts[0].depth(y).max(dim=1).values < 0.3).float().mean().item()


@pytest.mark.parametrize("sizes", [(2, 3), (3, 2), (2, 2, 2)])
def test_several_numbers_divide_several_planes(sizes):
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
def test_parameters_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        Clusters(**{name: value}).build(6)


def guidance(g, x, mean):
    """Return the pull of each row x, whose posterior mean is ``mean``."""
    return loss_terms(g, mean, x)["guidance"]


class TestTraining:
    def test_the_step_grows_in_training_only(self):
        g, y = built(Clusters(4), 2), normal(20, 2)
        full = g(y)
        for fraction in (0.0, 0.5):
            g.set_progress(fraction)
            assert torch.equal(g(y), y)
        g.set_progress(0.75)
        assert not torch.equal(g(y), y)
        assert torch.equal(g.eval()(y), full)
        assert torch.equal(built(clone(g), 2)(y), full)

    def test_without_guidance_empty_sectors_cost(self):
        g = built(Clusters(5, balance_weight=2.0), 2)
        assert loss_terms(g, normal(2000, 2))["penalty"].item() == 0
        lumped = torch.tensor([[3.0, 0.0]]).expand(10, 2).clone().requires_grad_()
        cost = loss_terms(g, lumped)["penalty"]
        assert 2.0 < cost.item() <= 10
        cost.backward()
        assert lumped.grad.abs().sum().item() > 0

    def test_guidance_pulls_rows_into_the_sectors_of_their_initial_clusters(self):
        X, label = blobs([100, 100, 100, 100])
        X = torch.from_numpy(X).float()
        g = built(Clusters(4), 2)
        g.initialize(X, torch.Generator().manual_seed(0))
        g.set_progress(0.0)
        y = (0.1 * normal(400, 2)).requires_grad_()
        optimizer = torch.optim.Adam([y], 0.05)
        for _ in range(100):
            optimizer.zero_grad()
            guidance(g, X, y).mean().backward()
            optimizer.step()
        assert normalized_mutual_info_score(label, g.regions(y.detach()).numpy()) > 0.95
        first = guidance(g, X, y).sum().item()
        g.set_progress(1.0)
        assert guidance(g, X, y).sum().item() == pytest.approx(0.1 * first, rel=1e-4)
        assert loss_terms(g, y, X)["penalty"].item() == 0

    def test_guidance_is_a_term_of_the_training_only(self):
        g = built(Clusters(2), 2)
        assert set(loss_terms(g.train(), normal(9, 2))) == {"penalty", "guidance"}
        assert set(loss_terms(g.eval(), normal(9, 2))) == {"penalty"}

    def test_rows_of_an_initial_cluster_that_loses_its_rows_are_pulled_harder(self):
        X, _ = blobs([100, 100, 100, 100])
        X = torch.from_numpy(X).float()
        g = built(Clusters(4), 2)
        g.initialize(X, torch.Generator().manual_seed(0))
        y = torch.tensor([[2.0, 0.3]]).expand(400, 2)
        before = guidance(g, X, y)
        for _ in range(100):
            g.observe(y, y, None)
        ratio = guidance(g, X, y) / before
        nearest = torch.cdist(X * g.column_weights, g.centers).argmin(dim=1)
        full = g.cluster_of_center[0][nearest] == g.regions(y[:1])
        torch.testing.assert_close(ratio[full], torch.ones(100))
        assert ratio[~full].min().item() > 5

    def test_learned_shares_follow_the_rows(self):
        g = built(Clusters(2, learn_proportions=True), 1)
        y = torch.linspace(-1, 1, 101)[:, None] + 0.6
        for step in range(1, 401):
            g.set_progress(min(1.0, step / 200))
            rows = y - y.median() + torch.erfinv(2 * (1 - g.proportions[0]) - 1) * 2**0.5 + 0.3
            g.observe(rows, rows, None)
        assert g.proportions[0].item() == pytest.approx(0.65, abs=0.01)
        fixed = built(Clusters(2), 1)
        fixed.set_progress(1.0)
        fixed.observe(y, y + 5, None)
        assert fixed.proportions.tolist() == [0.5, 0.5]

    def test_guidance_survives_a_copy_of_the_weights(self):
        X = torch.from_numpy(blobs([50, 50])[0]).float()
        g = built(Clusters(2), 2)
        g.initialize(X, torch.Generator().manual_seed(0))
        again = built(Clusters(2), 2)
        again.load_state_dict(copy.deepcopy(g.state_dict()))
        y = normal(100, 2)
        assert torch.equal(guidance(again, X, y), guidance(g, X, y))


class TestInitialClusters:
    @pytest.mark.parametrize("n_rows", [200, 2000])
    @pytest.mark.parametrize("proportion", [0.5, 0.1])
    @pytest.mark.parametrize("n_noise", [0, 4])
    def test_a_column_of_two_groups_is_found_among_standardized_columns(
        self, n_rows, proportion, n_noise
    ):
        for seed in range(5):
            X, label = make_two_gaussians(n_rows, proportion=proportion, random_state=seed)
            noise = np.random.default_rng(seed).standard_normal((n_rows, n_noise))
            X = torch.from_numpy(StandardScaler().fit_transform(np.c_[X, noise])).float()
            g = built(Clusters(2), 2)
            g.initialize(X, torch.Generator().manual_seed(seed))
            nearest = torch.cdist(X * g.column_weights, g.centers).argmin(dim=1)
            found = g.cluster_of_center[0][nearest]
            assert normalized_mutual_info_score(label, found) > 0.95

    @pytest.mark.parametrize("counts", [[500, 500], [950, 50], [300, 300, 300, 100]])
    def test_clusters_of_any_size_are_found(self, counts):
        X, label = blobs(counts)
        found = initial_clusters(X, len(counts), 0)
        nearest = ((X[:, None] - found.centers) ** 2).sum(axis=2).argmin(axis=1)
        assert normalized_mutual_info_score(label, found.cluster[nearest]) > 0.95
        np.testing.assert_allclose(np.sort(found.shares), np.sort(counts) / sum(counts), atol=0.01)

    @pytest.mark.parametrize("seed", range(3))
    def test_a_broad_tenth_is_found_beside_an_elongated_cluster(self, seed):
        """To divide the elongated one would reduce the variance more."""
        rng = np.random.default_rng(seed)
        long = rng.normal(size=(900, 4)) * [4, 1, 1, 1]
        broad = 2 * rng.normal(size=(100, 4)) + [0, 10, 0, 0]
        found = initial_clusters(np.r_[long, broad], 2, seed)
        np.testing.assert_allclose(np.sort(found.shares), [0.1, 0.9], atol=0.01)

    @pytest.mark.parametrize("seed", range(3))
    def test_a_few_distant_rows_are_no_cluster(self, seed):
        X, _ = blobs([500, 500])
        X[:30] += 20
        found = initial_clusters(X, 2, seed)
        np.testing.assert_allclose(found.shares, 0.5, atol=0.04)

    @pytest.mark.parametrize("spread", [0, 0.1, 0.3])
    def test_a_compact_group_is_found_beside_a_broad_one(self, spread):
        """It has one center, so that another is the second nearest of all its rows."""
        rng = np.random.default_rng(0)
        compact = spread * rng.normal(size=(100, 4)) + [10, 0, 0, 0]
        for seed in range(3):
            found = initial_clusters(np.r_[rng.normal(size=(900, 4)), compact], 2, seed)
            np.testing.assert_allclose(np.sort(found.shares), [0.1, 0.9], atol=0.01)

    def test_neighbors_in_space_have_neighboring_numbers(self):
        rng = np.random.default_rng(0)
        X = np.repeat(rng.permutation(6), 100)[:, None] + 0.05 * rng.standard_normal((600, 1))
        found = initial_clusters(X, 6, 0)
        means = [found.centers[found.cluster == k].mean() for k in range(6)]
        assert np.all(np.diff(means) > 0) or np.all(np.diff(means) < 0)

    @pytest.mark.parametrize("k", [3, 4])
    def test_ties_leave_no_cluster_empty(self, k):
        for n in (8, 10, 16):
            found = initial_clusters(np.repeat(np.arange(float(n)), 3)[:, None], k, 0)
            assert np.bincount(found.cluster, minlength=k).min() > 0
            assert found.shares.min() > 0

    def test_too_few_distinct_rows_give_none(self):
        assert initial_clusters(np.ones((20, 3)), 2, 0) is None


BRIEF = dict(
    hidden_layer_sizes=(16,), max_iter=60, learning_rate_init=5e-3, batch_size=100, random_state=0
)


def check_proportions(share, n, seed, **settings):
    X, label = blobs([int(share * n), n - int(share * n)], seed)
    g = Clusters(2, learn_proportions=True)
    vae = InteLVAE(1, mapping=g, **settings).fit(X)
    assert min(vae.module_.mapping.proportions).item() == pytest.approx(share, abs=0.02)
    generated = vae.sample(5000)[:, 0] > 0
    assert min(generated.mean(), 1 - generated.mean()) == pytest.approx(share, abs=0.03)
    assert normalized_mutual_info_score(label, vae.predict(X)) > 0.9


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_learned_proportions_are_those_of_the_data(share):
    check_proportions(share, 300, 0, **BRIEF)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_learned_proportions_are_those_of_the_data_with_the_default_settings(share, seed):
    check_proportions(share, 600, seed, random_state=seed)


def test_learned_proportions_follow_the_weights_of_the_rows():
    X, label = blobs([150, 150])
    g = Clusters(2, learn_proportions=True)
    weight = np.where(label == 0, 9, 1)
    vae = InteLVAE(1, mapping=g, **BRIEF | {"max_iter": 80}).fit(X, sample_weight=weight)
    heavy = np.bincount(vae.predict(X[label == 0])).argmax()
    assert vae.module_.mapping.proportions[heavy].item() == pytest.approx(0.9, abs=0.03)
    generated = vae.predict(vae.sample(2000)) == heavy
    assert generated.mean() == pytest.approx(0.9, abs=0.05)


def test_nested_mappings_pass_the_draws_on():
    y, weight = normal(200, 3), torch.arange(200.0)
    seen = []
    for wrapped in (
        Compose(Clusters(4), Identity()),
        Compose(Identity(), Clusters(4)),
        OnComponents(Clusters(4), (0, 1)),
        Clusters(4),
    ):
        g = built(wrapped, 3)
        g.observe(y, y, weight)
        (cut,) = [part for part in g.modules() if isinstance(part, Sectors)]
        seen.append(cut.running_shares)
    assert all(torch.equal(s, seen[0]) for s in seen)
    assert not torch.equal(seen[0], torch.full((4,), 0.25))
    g(y)
    assert torch.equal(cut.running_shares, seen[0])
