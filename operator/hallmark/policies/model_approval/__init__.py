"""Whether a ModelApproval counts."""
