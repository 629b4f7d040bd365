// The scales as the operator has them, for read_scale of shared/q4-scales.wgsl.
@group(0) @binding(1) var<storage, read> scales: array<u32>; // [N, K / group], f32 or packed f16
