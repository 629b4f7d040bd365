/** Operators that pass one row on as limbs, or that know where its caches are. */
import { rowsInMemory } from "../../../tests/support/tiny-checkpoint.ts";
import { embedsToLimbs } from "../../kernels/embedding_q4gsw/embedding-limbs.ts";
import { projectsAttention } from "../../kernels/row_projection_q4gsw/attention-linear-add.ts";
import { projectsToLimbs } from "../../kernels/row_projection_q4gsw/row-groups.ts";
import { writesLimbs } from "../../kernels/row_projection_q4gsw/row-input.ts";
import { fusesQkvRotary } from "../../kernels/row_projection_q4gsw/row-projection-q4gsw.ts";
import { randomValues } from "../../kernels/testing/data.ts";
import { dequantizeQ4, quantizeQ4 } from "../../quant/q4gsw.ts";
import type { GraphBuilder } from "../builder.ts";
import type { Tensor } from "../ir.ts";
import { JoinedRows } from "../joined-rows.ts";
import { symIntExpression } from "../symint.ts";
import type { SymIntRoot } from "../symint.ts";
import { Array64, generate, sum } from "./op-case.test-support.ts";
import type { OpCase } from "./op-case.test-support.ts";

const [HEADS, KV_HEADS, HEAD_SIZE] = [4, 2, 32];
const GROUP_SIZE = 32;
const EPSILON = 1e-5;
/** Longer than two of attention's splits. */
const CACHE_LENGTH = 192;
const STEP = 20;

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** A random matrix [rows, columns]: its planes, and its values for references. */
class Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly name: string;
  readonly #planes;

  constructor(name: string, rows: number, columns: number, seed: number) {
    this.name = name;
    this.rows = rows;
    this.columns = columns;
    // So that products are about as large as what they are of: limbs' error is of the largest.
    const scale = 1.5 / Math.sqrt(columns);
    const values = randomValues(rows * columns, seed).map((entry) => entry * scale);
    this.#planes = quantizeQ4(values, { rows, columns, groupSize: GROUP_SIZE }, "f32");
  }

  get data() {
    return rowsInMemory([this.#planes.weight, bytesOf(this.#planes.scales)], this.rows);
  }

  constants(g: GraphBuilder): readonly [weight: Tensor, scales: Tensor] {
    const { name, rows, columns, data } = this;
    return [
      g.constant(name, "u8", [rows, columns / 2], data, 0),
      g.constant(`${name}.scales`, "f32", [rows, columns / GROUP_SIZE], data, 1),
    ];
  }

  row(n: number): Float64Array {
    const dense = new Array64([this.rows, this.columns], dequantizeQ4(this.#planes));
    return generate([this.columns], (k) => dense.at(n, k));
  }

  /** This matrix times a row. */
  times(x: ArrayLike<number>): Float64Array {
    const dense = new Array64([this.rows, this.columns], dequantizeQ4(this.#planes));
    return generate([this.rows], (n) => sum(this.columns, (k) => dense.at(n, k) * x[k]!));
  }
}

const K = 64;
const WIDE = 96;
const gate = new Matrix("gate", WIDE, K, 1);
const up = new Matrix("up", WIDE, K, 2);
const down = new Matrix("down", K, WIDE, 3);
const square = new Matrix("square", K, K, 4);
const head = new Matrix("head", 50, K, 5);
const query = new Matrix("query", HEADS * HEAD_SIZE, K, 6);
const key = new Matrix("key", KV_HEADS * HEAD_SIZE, K, 7);
const value = new Matrix("value", KV_HEADS * HEAD_SIZE, K, 8);
const output = new Matrix("output", K, HEADS * HEAD_SIZE, 9);

/** Three matrices as parts of one. */
function joinedConstants(g: GraphBuilder, matrices: readonly [Matrix, ...Matrix[]]): Tensor[] {
  const [first, ...others] = matrices;
  const data = new JoinedRows([first.data, ...others.map((matrix) => matrix.data)]);
  let firstRow = 0;
  return matrices.flatMap((matrix) => {
    const parts = matrix.constants(g).map((tensor, plane): Tensor => ({
      ...tensor,
      storage: { kind: "constant", data, plane, firstRow },
    }));
    firstRow += matrix.rows;
    return parts;
  });
}

/** rms_norm of a row; without weights only its factor. */
function normalized(x: ArrayLike<number>, weight: ArrayLike<number> | undefined): Float64Array {
  const mean = sum(x.length, (k) => x[k]! ** 2) / x.length;
  return Float64Array.from(x, (v, k) => (v * (weight?.[k] ?? 1)) / Math.sqrt(mean + EPSILON));
}

const swiglu = (x: ArrayLike<number>): Float64Array => {
  const other = up.times(x);
  return gate.times(x).map((g, n) => (g / (1 + Math.exp(-g))) * other[n]!);
};

/** Limbs → numbers, through the vocabulary's projection. */
const readHead = (g: GraphBuilder, limbs: Tensor, epsilon: number | null): Tensor =>
  g.node(
    "tetrad.norm_linear_q4gsw",
    "head",
    null,
    limbs,
    null,
    epsilon,
    GROUP_SIZE,
    ...head.constants(g),
  );

const TABLE = [CACHE_LENGTH, HEAD_SIZE] as const;
const tables = [10, 11].map((seed) => new Array64(TABLE, randomValues(TABLE[0] * TABLE[1], seed)));

const tableConstants = (g: GraphBuilder, width: number): Tensor[] =>
  tables.map(({ data }, index) => {
    // The first `width` of each row: what the layout reads of the table.
    const rows = generate([TABLE[0], width], (r, c) => data[r * TABLE[1] + c]!);
    const bytes = bytesOf(Float32Array.from(rows));
    return g.constant(`table ${index}`, "f32", [TABLE[0], width], rowsInMemory([bytes], TABLE[0]));
  });

const position = (S: SymIntRoot) => symIntExpression("sub", symIntExpression("mul", S, STEP), 1);
const positionAt = (S: number) => S * STEP - 1;

/** Every head of a row turned by the tables' row `at`. */
function rotated(row: Float64Array, at: number, layout: "interleaved" | "half"): Float64Array {
  const half = HEAD_SIZE / 2;
  const [cos, sin] = tables as [Array64, Array64];
  return row.map((x, index) => {
    const d = index % HEAD_SIZE;
    const interleaved = layout === "interleaved";
    const first = interleaved ? d % 2 === 0 : d < half;
    const partner = row[index + (first ? 1 : -1) * (interleaved ? 1 : half)]!;
    const column = interleaved ? Math.floor(d / 2) : d;
    return x * cos.at(at, column) + (first ? -partner : partner) * sin.at(at, column);
  });
}

const CACHE = ["f32", 1, CACHE_LENGTH, KV_HEADS, HEAD_SIZE] as const;

/** A cache with a row written. */
const written = (cache: Array64, row: ArrayLike<number>, at: number): Float64Array => {
  const values = Float64Array.from(cache.data);
  values.set(row, at * KV_HEADS * HEAD_SIZE);
  return values;
};

/** Causal attention of one query row [Hq, D] to the caches up to `at`. */
function attention(q: Array64, k: ArrayLike<number>, v: ArrayLike<number>, at: number) {
  const stored = (cache: ArrayLike<number>, t: number, h: number, d: number) =>
    cache[(t * KV_HEADS + Math.floor((h * KV_HEADS) / HEADS)) * HEAD_SIZE + d]!;
  return generate([HEADS, HEAD_SIZE], (h, d) => {
    const scores = Array.from({ length: at + 1 }, (_, t) =>
      Math.exp(sum(HEAD_SIZE, (i) => q.at(0, 0, h, i) * stored(k, t, h, i)) / Math.sqrt(HEAD_SIZE)),
    );
    const total = scores.reduce((all, score) => all + score, 0);
    return scores.reduce((all, score, t) => all + (score / total) * stored(v, t, h, d), 0);
  });
}

const SCALE = 1 / Math.sqrt(HEAD_SIZE);
const ATTENTION = {
  heads: HEADS,
  kvHeads: KV_HEADS,
  headSize: HEAD_SIZE,
  cacheLength: CACHE_LENGTH,
};

function attentionCase(append: boolean): OpCase {
  const sizes = {
    ...ATTENTION,
    N: K,
    groupSize: GROUP_SIZE,
    scaleType: "f32",
    cacheType: "f32",
  } as const;
  const row = ["f32", 1, 1, KV_HEADS, HEAD_SIZE] as const;
  return {
    op: "tetrad.attention_linear_add_q4gsw",
    variant: append ? "of splits that store k and v" : "of splits",
    inputs: [
      ["f32", 1, 1, HEADS, HEAD_SIZE],
      CACHE,
      CACHE,
      ["f32", 1, 1, K],
      ["f32", K],
      ...(append ? [row, row] : []),
    ],
    runsOn: (capabilities) => projectsAttention(sizes, capabilities),
    build: (g, [q, kCache, vCache, residual, norm, k = null, v = null], S) => {
      const at = position(S);
      const partials = g.nodes("tetrad.sdpa_partials", "partials", [
        q!,
        k,
        v,
        kCache!,
        vCache!,
        at,
        SCALE,
      ]);
      const [out, limbs] = g.nodes("tetrad.attention_linear_add_q4gsw", "out", [
        ...partials,
        at,
        HEADS,
        kCache!,
        GROUP_SIZE,
        ...output.constants(g),
        residual!,
        norm!,
      ]);
      return [out!, readHead(g, limbs!, EPSILON), kCache!, vCache!];
    },
    reference: ([q, kCache, vCache, residual, norm, k, v], S) => {
      const at = positionAt(S);
      const caches = [
        k === undefined ? kCache!.data : written(kCache!, k.data, at),
        v === undefined ? vCache!.data : written(vCache!, v.data, at),
      ] as const;
      const projected = output.times(attention(q!, ...caches, at));
      const out = projected.map((x, n) => x + residual!.data[n]!);
      return [out, head.times(normalized(out, norm!.data)), ...caches];
    },
    absolute: 5e-4,
  };
}

function qkvRotaryCase(layout: "interleaved" | "half"): OpCase {
  const tableWidth = layout === "half" ? HEAD_SIZE : HEAD_SIZE / 2;
  const sizes = { K, groupSize: GROUP_SIZE, headSize: HEAD_SIZE, rotarySize: HEAD_SIZE, layout };
  return {
    op: "tetrad.qkv_rotary_q4gsw",
    variant: layout,
    inputs: [["f32", 1, 1, K], ["f32", K], CACHE, CACHE],
    runsOn: (capabilities) => fusesQkvRotary(sizes, capabilities),
    build: (g, [x, norm, kCache, vCache], S) => {
      const q = g.node(
        "tetrad.qkv_rotary_q4gsw",
        "q",
        x!,
        null,
        norm!,
        EPSILON,
        GROUP_SIZE,
        ...joinedConstants(g, [query, key, value]),
        ...tableConstants(g, tableWidth),
        position(S),
        layout,
        kCache!,
        vCache!,
      );
      return [q, kCache!, vCache!];
    },
    reference: ([x, norm, kCache, vCache], S) => {
      const [row, at] = [normalized(x!.data, norm!.data), positionAt(S)];
      return [
        rotated(query.times(row), at, layout),
        written(kCache!, rotated(key.times(row), at, layout), at),
        written(vCache!, value.times(row), at),
      ];
    },
    absolute: 5e-4,
  };
}

/** Each is read by the operator that would read it in a model: limbs are no numbers to compare. */
export const ROW_CASES: readonly OpCase[] = [
  {
    op: "tetrad.swiglu_limbs_q4gsw",
    variant: "then tetrad.linear_add_limbs_q4gsw",
    inputs: [
      ["f32", 1, 1, K],
      ["f32", K],
      ["f32", K],
    ],
    runsOn: (capabilities) =>
      projectsToLimbs({ K, N: WIDE, groupSize: GROUP_SIZE }, capabilities) &&
      projectsToLimbs({ K: WIDE, N: K, groupSize: GROUP_SIZE }, capabilities),
    build: (g, [x, norm, nextNorm]) => {
      const hidden = g.node(
        "tetrad.swiglu_limbs_q4gsw",
        "hidden",
        x!,
        null,
        norm!,
        EPSILON,
        GROUP_SIZE,
        ...gate.constants(g),
        ...up.constants(g),
      );
      const [out, limbs] = g.nodes("tetrad.linear_add_limbs_q4gsw", "out", [
        null,
        hidden,
        null,
        null,
        GROUP_SIZE,
        ...down.constants(g),
        x!,
        nextNorm!,
      ]);
      return [out!, readHead(g, limbs!, EPSILON)];
    },
    reference: ([x, norm, nextNorm]) => {
      const hidden = swiglu(normalized(x!.data, norm!.data));
      const out = down.times(hidden).map((y, n) => y + x!.data[n]!);
      return [out, head.times(normalized(out, nextNorm!.data))];
    },
    absolute: 5e-4,
  },
  {
    op: "tetrad.linear_add_limbs_q4gsw",
    variant: "read without a norm",
    inputs: [
      ["f32", 1, 1, K],
      ["f32", 1, K],
    ],
    runsOn: (capabilities) => projectsToLimbs({ K, N: K, groupSize: GROUP_SIZE }, capabilities),
    build: (g, [x, residual]) => {
      const row = [x!, null, null, null, GROUP_SIZE];
      const args = [...row, ...square.constants(g), residual!, null];
      const [out, limbs] = g.nodes("tetrad.linear_add_limbs_q4gsw", "out", args);
      return [out!, readHead(g, limbs!, null)];
    },
    reference: ([x, residual]) => {
      const out = square.times(x!.data).map((y, n) => y + residual!.data[n]!);
      return [out, head.times(out)];
    },
    absolute: 5e-4,
  },
  {
    op: "tetrad.embedding_limbs_q4gsw",
    inputs: [
      ["i32", 1, 1],
      ["f32", K],
    ],
    values: (index, count) =>
      index === 0 ? Int32Array.of(37) : randomValues(count, 12).map((value) => 1 + value),
    runsOn: (capabilities) =>
      embedsToLimbs({ embeddingSize: K, groupSize: GROUP_SIZE }, capabilities),
    build: (g, [token, norm]) => {
      const args = [...head.constants(g), GROUP_SIZE, token!, true, norm!];
      const [out, limbs] = g.nodes("tetrad.embedding_limbs_q4gsw", "row", args);
      return [out!, readHead(g, limbs!, EPSILON)];
    },
    reference: ([token, norm]) => {
      const row = head.row(token!.data[0]!);
      return [row, head.times(normalized(row, norm!.data))];
    },
    absolute: 5e-4,
  },
  {
    op: "tetrad.qkv_q4gsw",
    variant: "of limbs, joined",
    inputs: [
      ["f32", 1, 1, K],
      ["f32", 1, K],
    ],
    runsOn: writesLimbs,
    build: (g, [x, residual]) => {
      const row = [x!, null, null, null, GROUP_SIZE];
      const args = [...row, ...square.constants(g), residual!, null];
      const [, limbs] = g.nodes("tetrad.linear_add_limbs_q4gsw", "sum", args);
      return g.nodes("tetrad.qkv_q4gsw", "qkv", [
        null,
        limbs!,
        null,
        EPSILON,
        GROUP_SIZE,
        ...joinedConstants(g, [query, key, value]),
      ]);
    },
    reference: ([x, residual]) => {
      const sum = square.times(x!.data).map((y, n) => y + residual!.data[n]!);
      return [query, key, value].map((matrix) => matrix.times(normalized(sum, undefined)));
    },
    absolute: 5e-4,
  },
  qkvRotaryCase("interleaved"),
  qkvRotaryCase("half"),
  attentionCase(true),
  attentionCase(false),
];
