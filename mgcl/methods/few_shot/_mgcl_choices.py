"""What MGCL's paper leaves open: for a report's list of what was taken."""

OPEN_CHOICES = {
    "coarse": "a clip's coarse representation: the backbone's embedding (clip), or its segments' mean (the paper's)",
    "logit_scale": "multiplies the contrast before Eq. 21; None: the bank's",
    "epsilon": "temperature of the transport's kernel (Eq. 8)",
    "tolerance": "relative marginal error at which a transport problem is solved",
    "max_iterations": "of the transport; None: 100 at ε ≥ 0.1, 2,000 below",
    "entropy_weight": "of the plan in the similarity (λ of Eq. 5); 0: Eq. 9 as printed",
    "gradient": "through the transport plan: it is a constant (detached), or exact",
    "leave_one_out": "whether a training clip does not see its own key in the cache",
    "mean_over_shots": "whether the cache is divided by K",
    "late_weighting_scale": "inverse temperature of the late weighting (Eq. 14)",
    "initialisation": "of the adapters",
    "explanation_draw": "which explanations, where not all are used",
    "fusion": "what is fused and contrasted; audio: without captions",
}
"""Parameter of ``mgcl`` -> what it is."""
