"""A torch module → the bytes of a `.pte` file, lowered through ExecuTorch's VulkanPartitioner."""

import torch
from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner
from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, to_edge
from executorch.exir.passes import MemoryPlanningPass
from executorch.exir.passes.sym_shape_eval_pass import ConstraintBasedSymShapeEvalPass
from executorch.extension.llm.export.export_passes import RemoveRedundantTransposes


def lower(module, inputs, *, dynamic_shapes=None, metadata=None, force_fp16=False):
    """
    Exports `module` called with the tuple `inputs` and lowers it.

    `dynamic_shapes` is what `torch.export.export` takes; without it all sizes are fixed.
    `metadata` maps names of constant methods to int, bool, float or a list of those.
    Raises `RuntimeError` where something is left outside of the one delegate.
    """
    program = _export(module, inputs, dynamic_shapes)
    # Attention's pattern is recognised only without the transposes around it, and the pass works
    # on a module, not on an exported program: hence the second export.
    cleaned = RemoveRedundantTransposes()(program.module()).graph_module
    program = _export(cleaned, inputs, dynamic_shapes)
    with _traceable():
        edge = to_edge(
            program,
            constant_methods=metadata or None,
            compile_config=EdgeCompileConfig(_check_ir_validity=False, _skip_dim_order=True),
        )
        options = {"require_dynamic_shapes": dynamic_shapes is not None, "force_fp16": force_fp16}
        edge = edge.to_backend(VulkanPartitioner(options))
    _check_one_delegate(edge.exported_program().graph_module)
    config = ExecutorchBackendConfig(
        extract_delegate_segments=True,
        do_quant_fusion_and_const_prop=True,
        # Inputs belong to the caller.
        memory_planning_pass=MemoryPlanningPass(alloc_graph_input=False),
        sym_shape_eval_pass=ConstraintBasedSymShapeEvalPass(),
    )
    return bytes(edge.to_executorch(config).buffer)


def _traceable():
    return torch.nn.attention.sdpa_kernel([torch.nn.attention.SDPBackend.MATH])


def _export(module, inputs, dynamic_shapes):
    with _traceable(), torch.no_grad():
        exported = torch.export.export(
            module, inputs, dynamic_shapes=dynamic_shapes, strict=True
        )
        return exported.run_decompositions({})


def _check_one_delegate(graph_module):
    """The runtime knows `aten::copy_` (added later, for caches that are inputs) and no other."""
    calls = [str(node.target) for node in graph_module.graph.nodes if node.op == "call_function"]
    delegates = [name for name in calls if "executorch_call_delegate" in name]
    rest = [name for name in calls if name not in delegates and "getitem" not in name]
    if len(delegates) != 1 or rest:
        raise RuntimeError(
            f"lowering: {len(delegates)} delegates, must be one; left outside: {sorted(set(rest))}"
        )
