/** An ExecuTorch program (`.pte`) as typed tables. Every index in it was checked. */
import type { ByteSource } from "../../byte-source.ts";
import type { ByteRange, NamedData } from "./byte-range.ts";
import type { ScalarType } from "./element-types.ts";

export interface Program {
  /** The file, which constants and delegates are read from when they are asked for. */
  readonly source: ByteSource;
  readonly version: number;
  /** By name: `forward`, and methods that return constants (`get_max_seq_len`). */
  readonly methods: ReadonlyMap<string, Method>;
  readonly segments: readonly ByteRange[];
  readonly namedData: NamedData;
  /** Reads bytes of a segment; all of it by default. */
  readSegment(
    index: number,
    offset?: number,
    length?: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array>;
}

/** One entry point: a register machine over `values`. */
export interface Method {
  readonly name: string;
  readonly values: readonly ProgramValue[];
  /** Indices into `values`. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly chains: readonly Chain[];
  readonly operators: readonly Operator[];
  readonly delegates: readonly Delegate[];
  /** Bytes of each planned memory pool; pool 0 does not exist. */
  readonly poolByteLengths: readonly number[];
}

/** Inputs and outputs of a chain are empty in practice: the method's count. */
export interface Chain {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly instructions: readonly Instruction[];
}

/** `aten::copy_` with overload `""`. */
export interface Operator {
  readonly name: string;
  readonly overload: string;
}

/** Arguments are indices into the method's values, outputs last. */
export type Instruction =
  | {
      readonly kind: "kernel";
      /** Index into the method's operators. */
      readonly operator: number;
      readonly args: readonly number[];
    }
  | {
      readonly kind: "delegate";
      /** Index into the method's delegates. */
      readonly delegate: number;
      readonly args: readonly number[];
    }
  | { readonly kind: "move"; readonly from: number; readonly to: number }
  /** Jumps within its chain where the value is false; to the number of instructions: the end. */
  | { readonly kind: "jumpFalse"; readonly condition: number; readonly destination: number }
  | { readonly kind: "free"; readonly value: number };

/** A subgraph compiled by a backend. */
export interface Delegate {
  /** The backend: `VulkanBackend`. */
  readonly id: string;
  readonly blob: ByteRange;
  readonly compileSpecs: ReadonlyMap<string, Uint8Array>;
}

export type ProgramValue =
  | { readonly kind: "null" }
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "double"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | ProgramTensor
  /** Items are indices of int values. */
  | { readonly kind: "intList"; readonly items: readonly number[] }
  | { readonly kind: "doubleList"; readonly items: readonly number[] }
  | { readonly kind: "boolList"; readonly items: readonly boolean[] }
  /** Items are indices of tensors; `undefined` is none. */
  | { readonly kind: "tensorList"; readonly items: readonly number[] }
  | { readonly kind: "optionalTensorList"; readonly items: readonly (number | undefined)[] };

/** Fixed sizes; sizes that are upper bounds; sizes that mean nothing. */
export type Dynamism = "static" | "bounded" | "unbounded";

export interface ProgramTensor {
  readonly kind: "tensor";
  readonly type: ScalarType;
  /** Outermost first. Upper bounds where `dynamism` is "bounded". */
  readonly sizes: readonly number[];
  /** Dimensions from outermost to innermost in memory: 0…n-1 where contiguous. */
  readonly dimOrder: readonly number[];
  readonly dynamism: Dynamism;
  readonly data: TensorData;
}

/** Where a tensor's bytes are. */
export type TensorData =
  /** The caller binds them at each call. */
  | { readonly kind: "caller" }
  /** In a memory pool, by the exporter's plan. */
  | { readonly kind: "planned"; readonly pool: number; readonly offset: number }
  | { readonly kind: "constant"; readonly range: ByteRange }
  /** In named data, of the program or of a `.ptd` file. */
  | { readonly kind: "external"; readonly name: string }
  /** Written by the program; starts as these bytes. */
  | {
      readonly kind: "mutable";
      readonly pool: number;
      readonly offset: number;
      readonly range: ByteRange;
    };

/** What tensors in a program's tables refer to. */
export interface TensorDataTables {
  /** Range of a constant by its index, checked against the wanted bytes. */
  constant(index: number, byteLength: number, where: string): ByteRange;
  /** Initial bytes of a mutable tensor. */
  mutable(set: number, index: number, byteLength: number, where: string): ByteRange;
}
