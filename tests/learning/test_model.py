from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from rayon import Listing, ProductClassifier, Taxonomy, read_catalogue
from rayon.errors import ListingError, ModelError, NotFittedError, TaxonomyError, TrainingError
from rayon.learning.model import NOTHING_TO_CLASSIFY

WORDS = {
    "10": "roman policier poche auteur",
    "2583": "piscine ronde pompe bache",
    "1560": "table chaise bois salon",
}


def listings_of(n: int, seed: int = 0) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    codes = [list(WORDS)[i] for i in rng.integers(3, size=n)]
    titles = [
        " ".join(rng.choice(WORDS[code].split(), 2, replace=False)) + f" ref {i}"
        for i, code in enumerate(codes)
    ]
    return titles, codes


@pytest.fixture(scope="module")
def small() -> ProductClassifier:
    titles, codes = listings_of(300)
    return ProductClassifier(image="none", precision=0.9).fit(titles, codes)


def test_it_learns_and_answers_in_the_type_of_the_codes(small: ProductClassifier) -> None:
    titles, codes = listings_of(60, seed=1)
    assert list(small.classes_) == ["10", "1560", "2583"]
    assert small.score(titles, codes) > 0.95
    numbers = ProductClassifier(image="none").fit(titles, [int(code) for code in codes])
    assert numbers.classes_.dtype.kind == "i"
    assert numbers.predict(["roman policier"])[0] == 10


def test_probabilities_are_distributions_in_the_order_of_the_classes(small: ProductClassifier) -> None:
    proba = small.predict_proba(["roman policier", "table bois", "mot inconnu"])
    assert proba.shape == (3, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert list(small.classes_[proba.argmax(axis=1)][:2]) == ["10", "1560"]


def test_it_follows_scikit_learn(small: ProductClassifier) -> None:
    twin = clone(small)
    assert twin.get_params() == small.get_params()
    with pytest.raises(NotFittedError, match="This ProductClassifier has not learned anything yet"):
        twin.predict(["roman"])


def test_the_same_data_and_seed_give_the_same_predictions(small: ProductClassifier) -> None:
    titles, codes = listings_of(300)
    again = ProductClassifier(image="none", precision=0.9).fit(titles, codes)
    np.testing.assert_array_equal(again.predict_proba(titles[:50]), small.predict_proba(titles[:50]))
    assert again.policy_.threshold_ == small.policy_.threshold_


def test_what_is_loaded_answers_as_what_was_saved(small: ProductClassifier, tmp_path: Path) -> None:
    small.save(tmp_path / "model")
    loaded = ProductClassifier.load(tmp_path / "model")
    titles, _ = listings_of(40, seed=2)
    np.testing.assert_array_equal(loaded.predict_proba(titles), small.predict_proba(titles))
    assert loaded.decide(titles) == small.decide(titles)
    assert loaded.explain(titles[0]) == small.explain(titles[0])
    assert list(loaded.classes_) == list(small.classes_)


def test_no_answer_depends_on_the_other_listings(model: ProductClassifier, shop: Path) -> None:
    listings = read_catalogue(shop).listings[:30]
    together = model.predict_proba(listings)
    alone = np.concatenate([model.predict_proba([listing]) for listing in listings])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-7)


def test_each_listing_gets_its_own_answer_or_error(model: ProductClassifier, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff not a picture")
    answers = model.decide(
        [
            Listing("Piscine tubulaire ronde"),
            Listing("Piscine tubulaire ronde", image=broken),
            Listing(image=broken),
            Listing("   "),
        ]
    )
    assert answers[0].modalities == ("text",)
    assert not answers[0].degraded
    assert answers[1].code == answers[0].code
    assert answers[1].degraded
    assert "broken.jpg" in answers[1].error
    assert answers[2].code == ""
    assert answers[2].decision == "review"
    assert "broken.jpg" in answers[2].error
    assert answers[3].error == NOTHING_TO_CLASSIFY
    json.dumps([answer.to_dict() for answer in answers], allow_nan=False)


def test_the_alternatives_are_other_codes_in_order(model: ProductClassifier, shop: Path) -> None:
    for answer in model.decide(read_catalogue(shop).listings[:40]):
        confidences = [answer.confidence, *(other.confidence for other in answer.alternatives)]
        assert confidences == sorted(confidences, reverse=True)
        assert answer.code not in {other.code for other in answer.alternatives}
        assert 2 <= len(answer.alternatives) <= 5


def test_pictures_may_be_named_by_text(model: ProductClassifier, shop: Path) -> None:
    path = next((shop / "images" / "image_train").glob("*.jpg"))
    named, given = model.decide([Listing(image=str(path)), Listing(image=path)])  # type: ignore[arg-type]
    assert named == given
    assert named.modalities == ("image",)
    missing = model.decide([Listing("Lampe", image="none.jpg")])[0]  # type: ignore[arg-type]
    assert missing.degraded
    assert missing.error == "The image none.jpg is not there. Check the path, or leave the image empty"


def test_the_score_is_what_is_compared_with_the_threshold(small: ProductClassifier) -> None:
    for answer in small.decide(["roman policier", "piscine table", "zzz"]):
        assert answer.threshold is not None
        assert (answer.score >= answer.threshold) == (answer.decision == "accept")


def test_seeds_are_those_of_scikit_learn() -> None:
    titles, codes = listings_of(60)
    for seed in (None, np.random.RandomState(3), np.int64(4)):
        assert ProductClassifier(image="none", folds=2, random_state=seed).fit(titles, codes).classes_.size
    with pytest.raises(TrainingError, match=r"^The seed is -1\. "):
        ProductClassifier(random_state=-1).fit(titles, codes)


@pytest.mark.parametrize("missing", [None, float("nan"), "", " "])
def test_a_missing_code_is_refused(missing: object) -> None:
    titles, codes = listings_of(60)
    with pytest.raises(TrainingError, match=r"^Listing 2 has no code\. "):
        ProductClassifier(image="none").fit(titles, [*codes[:2], missing, *codes[3:]])


def test_listings_that_cannot_be_used_count_in_the_score(small: ProductClassifier) -> None:
    titles, codes = listings_of(20, seed=2)
    alone = small.score(titles, codes)
    assert small.score([*titles, Listing()], [*codes, "none"]) == pytest.approx(alone * 20 / 21)


def test_predict_names_the_listing_that_it_cannot_answer(small: ProductClassifier) -> None:
    with pytest.raises(ListingError) as caught:
        small.predict(["roman", ""])
    assert caught.value.message == f"Listing 1 cannot be classified: {NOTHING_TO_CLASSIFY}"


def test_the_end_of_each_stage_is_told_once() -> None:
    titles, codes = listings_of(90)
    items = [Listing(title, image=Path("gone.jpg") if n % 3 else None) for n, title in enumerate(titles)]
    ended: list[str] = []
    ProductClassifier(image="builtin", precision=0.9, folds=2).fit(
        items, codes, progress=lambda stage, done, total: ended.append(stage) if done == total else None
    )
    assert ended[:3] == ["Encoding text", "Encoding image", "Finding near-duplicates"]
    assert len(ended) == len(set(ended))


def test_train_only_listings_teach_and_are_never_scored() -> None:
    titles, codes = listings_of(200)
    weak_titles = [f"guitare electrique ampli {i}" for i in range(60)]
    model = ProductClassifier(image="none").fit(titles, codes, train_only=(weak_titles, ["9000"] * 60))
    assert model.predict(["guitare electrique"])[0] == "9000"
    assert len(model.cross_fitted_.y) == 200
    assert "9000" not in {model.taxonomy_.codes[i] for i in model.cross_fitted_.y}
    guitar = model.decide(["guitare electrique ampli"])[0]
    assert (guitar.decision, guitar.reason) == ("review", "too_few_calibration_listings")


def test_wrong_train_only_labels_do_not_move_the_threshold_into_the_promise() -> None:
    # Easy weak labels must not make the policy bolder: only trusted listings calibrate it.
    titles, codes = listings_of(200)
    rng = np.random.default_rng(0)
    noisy = [code if rng.random() < 0.7 else str(rng.choice(list(WORDS))) for code in codes]
    weak_titles, weak_codes = listings_of(1000, seed=5)
    model = ProductClassifier(image="none", precision=0.95).fit(
        titles, noisy, train_only=(weak_titles, weak_codes)
    )
    assert model.policy_.threshold_ is None
    assert not any(answer.decision == "accept" for answer in model.decide(weak_titles[:50]))


def test_what_cannot_be_learned_is_said() -> None:
    titles, codes = listings_of(60)
    with pytest.raises(TrainingError, match="All listings have the same code"):
        ProductClassifier().fit(titles, ["10"] * 60)
    with pytest.raises(TrainingError, match="There are 60 listings and 59 codes"):
        ProductClassifier().fit(titles, codes[:-1])
    with pytest.raises(TrainingError, match="There are 10 trusted listings, and at least 20 are needed"):
        ProductClassifier(image="none").fit(titles[:10], codes[:10])
    with pytest.raises(TrainingError, match="The promised precision is 98"):
        ProductClassifier(precision=98).fit(titles, codes)
    with pytest.raises(TrainingError, match="Neither text nor images are to be used"):
        ProductClassifier(text="none", image="none").fit(titles, codes)
    with pytest.raises(ModelError) as caught:
        ProductClassifier(text="bert").fit(titles, codes)
    assert caught.value.message == "There is no text encoder 'bert'"
    assert caught.value.hint == "Use 'ngrams', 'conv1d', 'hf:NAME_OR_FOLDER' or the path of an .onnx file"
    with pytest.raises(TrainingError, match="The text encoders are 'none' and others"):
        ProductClassifier(text=["none", "ngrams"]).fit(titles, codes)
    with pytest.raises(TaxonomyError, match="The taxonomy has no code 'x'"):
        ProductClassifier(taxonomy=Taxonomy.rakuten_france()).fit(titles, ["x", *codes[1:]])


def test_codes_with_a_single_listing_survive() -> None:
    titles, codes = listings_of(200)
    model = ProductClassifier(image="none").fit([*titles, "violon de concert"], [*codes, "77"])
    assert "77" in model.classes_
    np.testing.assert_allclose(model.predict_proba(["violon de concert"]).sum(), 1)


def test_an_explanation_names_what_decided(small: ProductClassifier) -> None:
    explanation = small.explain(Listing("Piscine ronde avec table", "une pompe"))
    weights = {word.word.lower(): word.weight for word in explanation.words}
    assert explanation.code == "2583"
    assert weights["piscine"] > 0 > weights["table"]
    assert max(weights, key=lambda word: weights[word]) in {"piscine", "ronde", "pompe"}
    pompe = next(word for word in explanation.words if word.word == "pompe")
    assert (pompe.field, pompe.start, pompe.end) == ("description", 4, 9)
    assert explanation.neighbours[0].code == "2583"
    against = small.explain("Piscine ronde avec table", code="1560")
    assert next(word.weight for word in against.words if word.word == "table") > 0
    with pytest.raises(TaxonomyError, match="The taxonomy has no code '4'"):
        small.explain("Piscine", code="4")


def test_an_explanation_is_as_sure_as_the_prediction(model: ProductClassifier, shop: Path) -> None:
    listing = next(one for one in read_catalogue(shop).listings if one.designation and one.image is not None)
    (prediction,) = model.decide([listing])
    assert model.explain(listing).confidence == pytest.approx(prediction.confidence, abs=1e-5)
    for modality, said in prediction.scores.items():
        alone = model.explain(listing, said.code).scores[modality]
        assert alone == pytest.approx(said.confidence, abs=1e-5)


def test_an_explanation_of_a_picture_is_a_grid(model: ProductClassifier, shop: Path) -> None:
    listing = next(item for item in read_catalogue(shop).listings if item.image is not None)
    explanation = model.explain(Listing(image=listing.image))
    assert explanation.regions is not None
    assert np.shape(explanation.regions) == (7, 7)
    assert np.ptp(explanation.regions) > 0
    assert explanation.words == ()
    assert any(neighbour.productid == listing.productid for neighbour in explanation.neighbours)


def test_a_training_listing_is_recognised(small: ProductClassifier) -> None:
    titles, _ = listings_of(300)
    assert small.neighbours_.was_seen(Listing(titles[0].upper()))
    assert not small.neighbours_.was_seen(Listing("tout autre chose"))


def test_a_model_folder_is_checked_and_holds_no_pickle(trained: Path, tmp_path: Path) -> None:
    names = {path.suffix for path in trained.iterdir()}
    assert names == {".json", ".npz", ".md"}
    for name in ("head_text.npz", "fusion.npz", "taxonomy.json"):
        copy = tmp_path / name
        shutil.copytree(trained, copy)
        content = bytearray((copy / name).read_bytes())
        content[len(content) // 2] ^= 255
        (copy / name).write_bytes(bytes(content))
        with pytest.raises(ModelError, match=f"{name} has changed since it was written"):
            ProductClassifier.load(copy)


def test_the_card_says_what_the_model_is_good_for(trained: Path) -> None:
    card = (trained / "MODEL_CARD.md").read_text(encoding="utf-8")
    model = json.loads((trained / "model.json").read_text(encoding="utf-8"))
    assert f"{model['data']['trusted']:,} trusted listings" in card
    assert f"{model['figures']['modalities']['fused']['weighted_f1']:.3f}" in card
    assert "distributed like the trusted ones" in card
