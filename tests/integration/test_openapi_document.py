"""The content of ``/openapi.json``."""

import json

import httpx

from api.schemas.prediction import PredictionResponse


def test_the_openapi_document_has_examples_and_lists_every_problem(tiny_service: httpx.Client):
    document = tiny_service.get("/openapi.json").json()
    predict = document["paths"]["/predict"]["post"]
    problems = set(predict["responses"]) - {"200"}
    assert problems == {
        *("400", "401", "403", "408", "413", "415", "422", "429"),
        *("500", "503", "504"),
    }
    for status in problems:
        schema = predict["responses"][status]["content"]["application/problem+json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Problem"}
    schemas = document["components"]["schemas"]
    for name in ("PredictionResponse", "Problem"):
        assert schemas[name]["examples"], name
    PredictionResponse.model_validate(schemas["PredictionResponse"]["examples"][0])
    assert "HTTPValidationError" not in json.dumps(document)
