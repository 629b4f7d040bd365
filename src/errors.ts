/** What went wrong, for programs: stable, unlike the message. */
export type TetradErrorCode = "format" | "unsupported" | "device" | "request";

/**
 * Base of every error this library throws on purpose. The message says where, what was found and
 * what is supported.
 */
export abstract class TetradError extends Error {
  abstract readonly code: TetradErrorCode;
}

/** The file is wrong, for good: loading it again cannot help. */
export class FormatError extends TetradError {
  override readonly name = "FormatError";
  readonly code = "format";
}

/** The input is right, but not for this runtime or this device. Says what is supported. */
export class UnsupportedError extends TetradError {
  override readonly name = "UnsupportedError";
  readonly code = "unsupported";
}

/** Why a device failed: `lost` can be cured by a new device, `memory` by a smaller request. */
export type DeviceErrorReason = "lost" | "memory" | "unavailable" | "validation" | "internal";

/** The GPU is missing, was lost, ran out of memory or refused a command. */
export class DeviceError extends TetradError {
  override readonly name = "DeviceError";
  readonly code = "device";
  readonly reason: DeviceErrorReason;
  constructor(reason: DeviceErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** The caller's arguments are wrong. Nothing was changed. */
export class RequestError extends TetradError {
  override readonly name = "RequestError";
  readonly code = "request";
}
