import cacheQuadF16 from "../shared/cache-quad-f16.wgsl";
import cacheQuadF32 from "../shared/cache-quad-f32.wgsl";

/** The helper file that reads and writes a cache of this type, four values at a time. */
export function cacheQuadSource(cacheType: "f32" | "f16"): string {
  return cacheType === "f16" ? cacheQuadF16 : cacheQuadF32;
}
