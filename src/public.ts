/** What every entry point exports, whatever the platform. */
export type {
  ChatMessage,
  GeneratedPiece,
  GenerateOptions,
  Generation,
  GenerationResult,
  LoadOptions,
  LoadProgramOptions,
  LoadProgress,
  ModelInfo,
  ModelLocation,
  ProfileResult,
  SamplingOptions,
  StopReason,
  TetradOptions,
  TunedCall,
  TuneOptions,
  TuneResult,
} from "./api.ts";
export type { ByteSource } from "./byte-source.ts";
export { DeviceError, FormatError, RequestError, TetradError, UnsupportedError } from "./errors.ts";
export type { DeviceErrorReason, TetradErrorCode } from "./errors.ts";
export type { Capabilities } from "./gpu/capabilities.ts";
export type { DispatchRecord } from "./gpu/query-pool.ts";
export type { ArithmeticUnit, Work } from "./gpu/work.ts";
export { Model } from "./model.ts";
export { profileBars } from "./profile/bar-chart.ts";
export { profileTrace } from "./profile/chrome-trace.ts";
export type { KernelSummary, ProfiledRun, ProfilePhase } from "./profile/profile.ts";
export { profileSvg } from "./profile/timeline-svg.ts";
export { profileTsv } from "./profile/tsv.ts";
export { LoadedProgram } from "./program/loaded-program.ts";
export type { ProgramInput, ProgramOutput, RunOptions } from "./program/loaded-method.ts";
export type { TypedTensor } from "./program/typed-tensor.ts";
export type { TuningStore } from "./tuning-store.ts";
export { GpuTensor } from "./program/gpu-tensor.ts";
