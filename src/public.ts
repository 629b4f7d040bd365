/** What every entry point exports, whatever the platform. */
export type {
  ChatMessage,
  GeneratedPiece,
  GenerateOptions,
  Generation,
  GenerationResult,
  LoadOptions,
  LoadProgress,
  ModelInfo,
  ModelLocation,
  SamplingOptions,
  StopReason,
  TetradOptions,
} from "./api.ts";
export type { ByteSource } from "./byte-source.ts";
export { DeviceError, FormatError, RequestError, TetradError, UnsupportedError } from "./errors.ts";
export type { DeviceErrorReason, TetradErrorCode } from "./errors.ts";
export type { Capabilities } from "./gpu/capabilities.ts";
export { Model } from "./model.ts";
