"""The Django project in one module: its settings, its only view and its WSGI application.

Each model is called separately with ``model.predict``, for each request alone. There is no
batching.
"""

import os
from pathlib import Path

import numpy as np
import three_models
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

settings.configure(ALLOWED_HOSTS=["127.0.0.1", "localhost"], ROOT_URLCONF=__name__)

_DIRECTORY = Path(os.environ["PEER_MODELS"])
_MODELS = three_models.load_keras_models(_DIRECTORY) if os.environ["PEER_LOAD"] == "once" else None


@csrf_exempt
@require_POST
def predict(request: HttpRequest) -> JsonResponse:
    """Answer one upload with each model's probability of COVID."""
    image = three_models.preprocess(request.FILES["file"].read())
    models = _MODELS or three_models.load_keras_models(_DIRECTORY)
    answer = {
        name: float(model.predict(image[np.newaxis], verbose=0)[0, 0])
        for name, model in models.items()
    }
    return JsonResponse(answer)


urlpatterns = [path("predict", predict)]
application = get_wsgi_application()
