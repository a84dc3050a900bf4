"""Our slim messages are wire-compatible with TensorFlow Serving's."""

import pytest
from google.protobuf import descriptor_pool, message_factory, unknown_fields
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

pytest.importorskip("tensorflow_serving.apis.predict_pb2", reason="needs the trainer extra")

from tensorflow_serving.apis import (  # noqa: F401 - registers TensorFlow Serving's descriptors
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
)

from serving.embedded.type_names import TYPE_NAMES
from serving.protos import (
    model_config_pb2,
    model_metadata_pb2,
    model_status_pb2,
    predict_pb2,
    saved_model_pb2,
    tensor_pb2,
)

OUR_FILES = (
    tensor_pb2,
    predict_pb2,
    model_status_pb2,
    model_metadata_pb2,
    model_config_pb2,
    saved_model_pb2,
)
OUR_MESSAGES = {
    message.full_name: message
    for file in OUR_FILES
    for message in file.DESCRIPTOR.message_types_by_name.values()
}
SERVING, CORE = "tensorflow.serving.", "tensorflow."
PREFIXES = {
    "TensorProto": CORE,
    "TensorShapeProto": CORE,
    "TensorInfo": CORE,
    "SignatureDef": CORE,
    "MetaGraphDef": CORE,
    "SavedModel": CORE,
    "ServableVersionPolicy": f"{SERVING}FileSystemStoragePathSourceConfig.",
}


def reference(ours: Descriptor) -> Descriptor:
    prefix = PREFIXES.get(ours.name, SERVING)
    return descriptor_pool.Default().FindMessageTypeByName(prefix + ours.name)


def type_of(field: FieldDescriptor) -> tuple[object, ...]:
    """Return what determines a field's encoding; message types are named without their package."""
    kind: tuple[object, ...] = (field.type, field.label, field.is_packed)
    if field.message_type is not None:
        kind += (field.message_type.name,)
    oneof = field.containing_oneof
    return (*kind, oneof.name if oneof else None)


def values(enum: EnumDescriptor) -> dict[int, str]:
    return {value.number: value.name for value in enum.values}


def compare(ours: Descriptor, theirs: Descriptor) -> None:
    for field in ours.fields:
        assert field.number in theirs.fields_by_number, field.full_name
        other = theirs.fields_by_number[field.number]
        assert (field.name, type_of(field)) == (other.name, type_of(other)), field.full_name
        if field.enum_type is not None:
            known = values(other.enum_type)
            for number, name in values(field.enum_type).items():
                assert known[number] == name
    for nested in ours.nested_types:
        compare(nested, theirs.nested_types_by_name[nested.name])


@pytest.mark.parametrize("name", OUR_MESSAGES)
def test_every_field_matches_tensorflow_serving(name: str):
    ours = OUR_MESSAGES[name]
    compare(ours, reference(ours))


def test_the_names_of_data_types_match_tensorflow():
    known = values(reference(tensor_pb2.TensorProto.DESCRIPTOR).fields_by_name["dtype"].enum_type)
    for number, name in TYPE_NAMES.items():
        assert known[number] == f"DT_{name.upper()}"


def fill(message: Message) -> Message:
    """Set every field to a value that is not its default."""
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if oneof is not None and message.WhichOneof(oneof.name):
            continue
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        if is_map:
            value = field.message_type.fields_by_name["value"]
            if value.message_type is not None:
                fill(getattr(message, field.name)["key"])
            else:
                getattr(message, field.name)["key"] = scalar(value)
        elif field.message_type is not None:
            repeated = field.label == FieldDescriptor.LABEL_REPEATED
            target = getattr(message, field.name)
            child = target.add() if repeated else target
            child.SetInParent()
            fill(child)
        elif field.label == FieldDescriptor.LABEL_REPEATED:
            getattr(message, field.name).extend([scalar(field)] * 2)
        else:
            setattr(message, field.name, scalar(field))
    return message


def scalar(field: FieldDescriptor) -> object:
    if field.enum_type is not None:
        return field.enum_type.values[1].number
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return b"\0\xff" if field.type == FieldDescriptor.TYPE_BYTES else "text"
    if kind in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return 0.5
    return True if kind == FieldDescriptor.CPPTYPE_BOOL else 7


@pytest.mark.parametrize("name", OUR_MESSAGES)
def test_a_message_survives_a_round_trip_through_tensorflow_serving(name: str):
    ours = fill(message_factory.GetMessageClass(OUR_MESSAGES[name])())
    sent = ours.SerializeToString(deterministic=True)
    assert sent
    theirs = message_factory.GetMessageClass(reference(OUR_MESSAGES[name])).FromString(sent)
    assert len(unknown_fields.UnknownFieldSet(theirs)) == 0, "TensorFlow Serving has every field"
    back = type(ours).FromString(theirs.SerializeToString(deterministic=True))
    assert back == ours
