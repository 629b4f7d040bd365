/** Shader files are imported as text (see `tools/wgsl-text.ts`). */
declare module "*.wgsl" {
  const source: string;
  export default source;
}
