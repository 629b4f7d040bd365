/**
 * What is used of packages that only `bench/peers` installs, so that the project type-checks without
 * them.
 */
declare module "protobufjs" {
  interface Type {
    verify(message: object): string | null;
    create(message: object): object;
    encode(message: object): { finish(): Uint8Array };
  }
  interface Parsed {
    readonly root: { lookupType(name: string): Type };
  }
  const protobuf: { parse(source: string, options: { keepCase: boolean }): Parsed };
  export default protobuf;
}

declare module "node-llama-cpp" {
  type Token = number & { readonly __token: never };
  interface LlamaContextSequence {
    clearHistory(): Promise<void>;
    evaluate(
      tokens: readonly Token[],
      options: { temperature: number; yieldEogToken: boolean },
    ): AsyncIterable<Token>;
  }
  interface LlamaContext {
    getSequence(): LlamaContextSequence;
  }
  interface LlamaModel {
    createContext(options: {
      contextSize: number;
      batchSize: number;
      sequences: number;
    }): Promise<LlamaContext>;
  }
  interface Llama {
    readonly gpu: string | false;
    getGpuDeviceNames(): Promise<string[]>;
    loadModel(options: { modelPath: string; gpuLayers: "max" | number }): Promise<LlamaModel>;
    dispose(): Promise<void>;
  }
  export function getLlama(options: {
    gpu: "vulkan" | false;
    build: "never";
    skipDownload: boolean;
    logLevel: "error";
  }): Promise<Llama>;
}

declare module "onnxruntime-node" {
  type Data = Float32Array | Uint16Array | Int32Array | BigInt64Array;
  type Location = "cpu" | "gpu-buffer";
  export class Tensor {
    constructor(
      type: "float32" | "float16" | "int32" | "int64",
      data: Data,
      dims: readonly number[],
    );
    readonly data: Data;
    readonly dims: readonly number[];
    readonly location: Location;
    dispose(): void;
  }
  type Values = Readonly<Record<string, Tensor>>;
  export class InferenceSession {
    static create(
      path: string,
      options: {
        executionProviders: readonly string[];
        preferredOutputLocation?: Readonly<Record<string, Location>>;
        logSeverityLevel?: number;
        extra?: Readonly<Record<string, unknown>>;
      },
    ): Promise<InferenceSession>;
    run(feeds: Values, fetches?: Readonly<Record<string, Tensor | null>>): Promise<Values>;
    release(): Promise<void>;
  }
  export function listSupportedBackends(): { name: string; bundled: boolean }[];
}
