/**
 * The part of ONNX's protobuf schema that a decoder needs (names and numbers: onnx.proto, IR
 * version 10), and how to encode a model with it.
 */
import protobuf from "protobufjs";

const SCHEMA = `
  syntax = "proto2";
  message ModelProto {
    optional int64 ir_version = 1;
    optional string producer_name = 2;
    optional GraphProto graph = 7;
    repeated OperatorSetIdProto opset_import = 8;
  }
  message OperatorSetIdProto {
    optional string domain = 1;
    optional int64 version = 2;
  }
  message GraphProto {
    repeated NodeProto node = 1;
    optional string name = 2;
    repeated TensorProto initializer = 5;
    repeated ValueInfoProto input = 11;
    repeated ValueInfoProto output = 12;
  }
  message NodeProto {
    repeated string input = 1;
    repeated string output = 2;
    optional string name = 3;
    optional string op_type = 4;
    repeated AttributeProto attribute = 5;
    optional string domain = 7;
  }
  message AttributeProto {
    optional string name = 1;
    optional float f = 2;
    optional int64 i = 3;
    optional int32 type = 20;
  }
  message TensorProto {
    repeated int64 dims = 1;
    optional int32 data_type = 2;
    optional string name = 8;
    optional bytes raw_data = 9;
    repeated StringStringEntryProto external_data = 13;
    optional int32 data_location = 14;
  }
  message StringStringEntryProto {
    optional string key = 1;
    optional string value = 2;
  }
  message ValueInfoProto {
    optional string name = 1;
    optional TypeProto type = 2;
  }
  message TypeProto {
    optional TensorTypeProto tensor_type = 1;
  }
  message TensorTypeProto {
    optional int32 elem_type = 1;
    optional TensorShapeProto shape = 2;
  }
  message TensorShapeProto {
    repeated DimensionProto dim = 1;
  }
  message DimensionProto {
    optional int64 dim_value = 1;
    optional string dim_param = 2;
  }
`;

/** TensorProto.DataType. */
export const DATA_TYPES = { f32: 1, u8: 2, i32: 6, i64: 7, f16: 10 } as const;
export type DataType = keyof typeof DATA_TYPES;

/** AttributeProto.AttributeType. */
export const ATTRIBUTE_FLOAT = 1;
export const ATTRIBUTE_INT = 2;

/** TensorProto.DataLocation. */
export const LOCATION_EXTERNAL = 1;

// Field names as ONNX spells them, not in camel case.
const modelProto = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType("ModelProto");

/** The bytes of a `ModelProto`; throws where a field has a wrong type. */
export function encodeModel(model: Readonly<Record<string, unknown>>): Uint8Array {
  const problem = modelProto.verify(model);
  if (problem !== null) throw new Error(`onnx: ${problem}`);
  return modelProto.encode(modelProto.create(model)).finish();
}
