import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { Capabilities, DeviceLimits } from "../../gpu/capabilities.ts";
import { packLimbs } from "../../quant/int8-limbs.ts";
import { randomMatrix } from "../linear_q4gsw/linear-q4gsw.cases.ts";
import { firstBest, isSeen, samplingReference } from "../sample/sample.reference.ts";
import { randomSeen, sureChoice } from "../sample/sample.suite.ts";
import { encodeSampling, filtersOf } from "../sample/sample.ts";
import type { SamplingSettings } from "../sample/sample.ts";
import { defaultRoute } from "../shared/tunable.ts";
import { randomValues } from "../testing/data.ts";
import { defineSuite, runnableWithBinding } from "../testing/suite.ts";
import type { Expectation, KernelCase } from "../testing/suite.ts";
import { fusesChoice, normLinearChoiceTunable } from "./linear-choice.ts";
import type { ChoiceLive, NormLinearChoiceShape } from "./linear-choice.ts";
import { rowProjectionReference } from "./row-projection-q4gsw.reference.ts";
import { writesLimbs } from "./row-input.ts";

/** How a case differs from a plain one: limbs in, normalised, groups of 32, f16 scales, greedy, no penalty. */
interface Options {
  readonly input?: "f32";
  readonly norm?: false;
  readonly groupSize?: number;
  readonly scaleType?: "f16" | "f32";
  readonly repetitionPenalty?: number;
  /** The token is sampled, with the penalty among these. */
  readonly sampled?: SamplingSettings;
  /** Rows that are the best one's as well: their logits are the same to the bit. */
  readonly equals?: readonly number[];
  /** Rows whose logits are NaN. */
  readonly nan?: readonly number[];
  readonly limits?: Partial<DeviceLimits>;
  readonly heavy?: string;
  readonly sweep?: true;
  /** Whatever a device may choose by measuring is checked. */
  readonly candidates?: true;
}

const EPSILON = 1e-5;
const HISTORY_LENGTH = 32;
const POSITION = 9;
/** Further than rounding moves a logit, and so a probability, or a sum of some. */
const SURE = 2e-3;

/** The matrix of a case, with what the options say about its rows; and what comes out of it. */
function problem(shape: NormLinearChoiceShape, options: Options) {
  const { K, N } = shape;
  const x = randomValues(K, 1);
  const norm = shape.norm && { weight: randomValues(K, 2), ...shape.norm };
  const { matrix, scales } = randomMatrix(shape);
  const rowWords = K / 8;
  const rowScales = K / shape.groupSize;
  for (const row of options.nan ?? []) {
    scales.fill(
      scales instanceof Uint16Array ? 0x7e00 : Number.NaN,
      row * rowScales,
      (row + 1) * rowScales,
    );
  }
  const { repetitionPenalty = 1 } = options;
  const seen = randomSeen(N, 3);
  const logitsNow = () => rowProjectionReference(x, norm, [matrix])[0]!;
  const first = firstBest(logitsNow());
  // With a penalty another token is the best.
  for (const row of [first, ...(options.equals ?? [])]) {
    matrix.weight.copyWithin(row * rowWords, first * rowWords, (first + 1) * rowWords);
    scales.copyWithin(row * rowScales, first * rowScales, (first + 1) * rowScales);
    seen[row >> 5]! |= 1 << (row & 31);
  }
  const logits = logitsNow();
  const problem = { x, norm, matrix, scales, seen, logits };
  if (options.sampled !== undefined)
    return { ...problem, ...sampledToken(logits, seen, options.sampled) };
  const penalised = logits.map((logit, row) => {
    if (!isSeen(seen, row)) return logit;
    return logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
  });
  const token = firstBest(penalised);
  const best = penalised[token]!;
  if (penalised.some((logit) => logit !== best && best - logit < SURE)) {
    throw new Error(`linear_greedy: token ${token} of ${K}x${N} is hardly better than another`);
  }
  const sampling = { temperature: 0, repetitionPenalty };
  return { ...problem, sampling, token };
}

/** A token that rounded logits lead to as well, and the settings with the seed for it. */
function sampledToken(logits: Float64Array, seen: Uint32Array, settings: SamplingSettings) {
  const { probabilities, best } = samplingReference(logits, seen, settings);
  if (settings.temperature === 0) return { sampling: settings, token: best };
  const { token, seed } = sureChoice(probabilities, settings, POSITION + 1, SURE);
  const sampling = { ...settings, seed };
  for (const error of [SURE / 4, -SURE / 4]) {
    // Every other logit is off by as much, so that thresholds move.
    const rounded = logits.map((logit, row) => logit + (row % 2 === 0 ? error : 0));
    const other = samplingReference(rounded, seen, settings).probabilities;
    if (sureChoice(other, sampling, POSITION + 1, 0).token !== token) {
      throw new Error(`linear_sampled: ${JSON.stringify(sampling)} is hardly decided`);
    }
  }
  return { sampling, token };
}

function choiceCase(K: number, N: number, options: Options = {}): KernelCase<ChoiceLive> {
  const { input = "limbs", groupSize = 32, scaleType = "f16", sampled, limits, heavy } = options;
  const mode = sampled === undefined ? "greedy" : "sampled";
  const shape: NormLinearChoiceShape = {
    K,
    N,
    groupSize,
    scaleType,
    input,
    mode,
    historyLength: HISTORY_LENGTH,
    ...(options.norm === false ? {} : { norm: { epsilon: EPSILON } }),
  };
  const restrict = (capabilities: Capabilities) =>
    limits === undefined ? capabilities : restrictCapabilities(capabilities, { limits });
  const tunable = (capabilities: Capabilities) =>
    normLinearChoiceTunable(shape, restrict(capabilities));
  const exact = { absolute: 0, relative: 0 };
  return {
    name: [
      `${K}x${N} g${groupSize} ${scaleType}`,
      input === "f32" && "from f32",
      sampled !== undefined && JSON.stringify(sampled),
      options.norm === false && "no norm",
      options.repetitionPenalty !== undefined && `penalty ${options.repetitionPenalty}`,
      options.equals !== undefined && `equals ${options.equals.join(" ")}`,
      options.nan !== undefined && `NaN ${options.nan.join(" ")}`,
      limits !== undefined && JSON.stringify(limits),
    ]
      .filter(Boolean)
      .join(" "),
    route: (capabilities) => defaultRoute(tunable(capabilities)),
    ...(options.candidates === undefined
      ? {}
      : { candidates: (capabilities) => tunable(capabilities).candidates }),
    expectRoute: ({ integerDot }) => `linear_${mode}_${integerDot ? "limbs" : "f32"}`,
    reachable: (capabilities) =>
      fusesChoice(shape, capabilities) && (input === "f32" || writesLimbs(capabilities)),
    live: { filters: filtersOf(sampled ?? { temperature: 0 }) },
    operands() {
      const { x, norm, matrix, scales, seen, sampling } = problem(shape, options);
      const weighted = x.map((value, k) => value * (norm?.weight[k] ?? 1));
      return {
        ...(input === "limbs" ? { limbs: packLimbs(weighted, x) } : { x }),
        ...(input === "f32" && norm !== undefined ? { norm: norm.weight } : {}),
        weight: matrix.weight,
        scales,
        sampling: encodeSampling(sampling),
        seen,
        input_pos: Int32Array.of(POSITION),
        token: { bytes: 4 },
        history: new Int32Array(HISTORY_LENGTH).fill(-7),
        out: { bytes: 4 * N },
      };
    },
    expected() {
      const { seen, logits, token } = problem(shape, options);
      seen[token >> 5]! |= 1 << (token & 31);
      const history = new Int32Array(HISTORY_LENGTH).fill(-7);
      history[POSITION + 1] = token;
      const integers = (type: "i32" | "u32", values: ArrayLike<number>): Expectation => ({
        type,
        values,
        tolerance: exact,
      });
      return {
        out: { type: "f32", values: logits },
        token: integers("i32", [token]),
        input_pos: integers("i32", [POSITION + 1]),
        seen: integers("u32", seen),
        history: integers("i32", history),
      };
    },
    tolerance: K >= 8192 ? { absolute: 1e-3, relative: 1e-2 } : { absolute: 1e-4, relative: 1e-3 },
    ...runnableWithBinding(N * (K / 2)),
    ...(heavy === undefined ? {} : { heavy }),
    ...(options.sweep === undefined ? {} : { sweep: options.sweep }),
  };
}

const HUGE_WEIGHT = "a weight of over 60 MB";

/** Models' vocabularies, then more items than workgroups, ties, penalties and NaN. */
export const linearChoiceSuite = defineSuite("linear_choice", [
  choiceCase(2048, 128_256, { heavy: HUGE_WEIGHT }),
  choiceCase(4096, 128_256, { heavy: HUGE_WEIGHT }),
  choiceCase(32, 1),
  choiceCase(288, 4096),
  choiceCase(288, 131, { input: "f32" }),
  choiceCase(96, 37, { input: "f32", norm: false, groupSize: 96, scaleType: "f32" }),
  choiceCase(32, 40_001),
  choiceCase(64, 997, { limits: { maxComputeWorkgroupsPerDimension: 3 } }),
  choiceCase(64, 501, { limits: { maxComputeInvocationsPerWorkgroup: 32 } }),
  choiceCase(64, 700, { repetitionPenalty: 1.9 }),
  choiceCase(64, 900, { repetitionPenalty: 1.9 }),
  choiceCase(64, 1300, { repetitionPenalty: 1.5 }),
  choiceCase(64, 700, { repetitionPenalty: 0.5 }),
  // In one item, in items of one workgroup, and in different workgroups.
  choiceCase(64, 700, { equals: [697, 698, 699] }),
  choiceCase(64, 700, { equals: [0, 12, 24], limits: { maxComputeWorkgroupsPerDimension: 3 } }),
  choiceCase(64, 700, { equals: [12, 300, 500] }),
  choiceCase(64, 130, { nan: [0, 64, 129] }),
  // Sampled: from one chunk of the sampler and from several, by workgroups with one item and with several.
  choiceCase(64, 700, { sampled: { seed: 1 }, sweep: true }),
  choiceCase(288, 4096, { sampled: { temperature: 0.7, topK: 5, seed: 3 }, sweep: true }),
  choiceCase(64, 997, {
    sampled: { temperature: 0.6, topP: 0.8, repetitionPenalty: 1.3, seed: 4 },
    limits: { maxComputeWorkgroupsPerDimension: 70 },
  }),
  choiceCase(32, 40_001, { sampled: { temperature: 0.05, topK: 40, topP: 0.9, minP: 0.05 } }),
  choiceCase(96, 37, { input: "f32", norm: false, sampled: { temperature: 0 }, sweep: true }),
  choiceCase(64, 130, { sampled: { temperature: 0.4, seed: 6 }, nan: [0, 64, 129], sweep: true }),
  // every layout that a device may choose
  choiceCase(4096, 37, { candidates: true }),
  choiceCase(8192, 9, { candidates: true, input: "f32" }),
]);
