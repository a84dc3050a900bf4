"""Small models, the ones that TensorFlow Serving's answers were recorded with."""

import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf


class Classifier(tf.Module):
    """Maps `image`, float32 [N, 64, 64, 3], to `probabilities`, float32 [N, 2]."""

    def __init__(self, seed: int) -> None:
        # The recordings depend on the numbers of this generator.
        rng = np.random.RandomState(seed)
        self.kernel = tf.Variable(rng.randn(3, 3, 3, 8).astype("f") * 0.2)
        self.weights = tf.Variable(rng.randn(8, 2).astype("f"))
        self.bias = tf.Variable(np.zeros(2, "f"))

    @tf.function(input_signature=[tf.TensorSpec([None, 64, 64, 3], tf.float32, name="image")])
    def serve(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        hidden = tf.nn.relu(tf.nn.conv2d(image, self.kernel, 2, "SAME"))
        pooled = tf.reduce_mean(hidden, [1, 2])
        return {"probabilities": tf.nn.softmax(tf.matmul(pooled, self.weights) + self.bias)}


class Two(tf.Module):
    """Has two inputs and two outputs, and signatures beside the default one."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], tf.float32, name="a"),
            tf.TensorSpec([None], tf.int32, name="b"),
        ]
    )
    def serve(self, a: tf.Tensor, b: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sum": tf.reduce_sum(a, 1) + tf.cast(b, tf.float32), "twice": b * 2}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="txt")])
    def text(self, txt: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"upper_bytes": tf.strings.upper(txt), "length": tf.strings.length(txt)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])
    def scalar(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"r": x * x}


class Servables:
    """SavedModels, valid and broken, to be copied into the version directories of a server."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for name, seed in (("m", 1), ("canary", 2)):
            model = Classifier(seed)
            tf.saved_model.save(
                model, str(root / name), signatures={"serving_default": model.serve}
            )
        model = Classifier(1)
        model.serve_small = tf.function(
            lambda image: Classifier.serve.python_function(model, image),
            input_signature=[tf.TensorSpec([None, 32, 32, 3], tf.float32, name="image")],
        )
        tf.saved_model.save(
            model, str(root / "wrong size"), signatures={"serving_default": model.serve_small}
        )
        two = Two()
        tf.saved_model.save(
            two,
            str(root / "two"),
            signatures={"serving_default": two.serve, "text": two.text, "scalar": two.scalar},
        )
        shutil.copytree(root / "m", root / "no variables")
        shutil.rmtree(root / "no variables" / "variables")
        shutil.copytree(root / "m", root / "unparsable")
        (root / "unparsable" / "saved_model.pb").write_bytes(b"this is not a graph")
        shutil.copytree(root / "m", root / "wrong tags")
        _set_tags(root / "wrong tags" / "saved_model.pb", ["train"])
        (root / "empty").mkdir()
        (root / "plain file").write_text("not a directory")

    def put(self, kind: str, path: Path) -> None:
        """Publish a copy of one of them at ``path``, with one rename as a publication does."""
        draft = path.parent / f".draft-{path.name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if (self._root / kind).is_dir():
            shutil.copytree(self._root / kind, draft)
        else:
            shutil.copy(self._root / kind, draft)
        draft.rename(path)

    def copy_graph(self, kind: str, path: Path) -> None:
        """Copy one of them into an existing version directory."""
        shutil.copytree(self._root / kind, path, dirs_exist_ok=True)


def _set_tags(graph_file: Path, tags: list[str]) -> None:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved_model = SavedModel.FromString(graph_file.read_bytes())
    del saved_model.meta_graphs[0].meta_info_def.tags[:]
    saved_model.meta_graphs[0].meta_info_def.tags.extend(tags)
    graph_file.write_bytes(saved_model.SerializeToString())
