"""Pure decisions: frozen inputs go in, a decision comes out. No I/O, no clock.

Each kind has a package with the same stems: ``inputs`` (what a decision is made from),
``checks`` (the chains below) and ``decide`` (what follows). An arrow is a field that one kind
writes and another one reads; never a call::

    ModelPolicy -- applies to a namespace, and to every decision in it

    TrainingRun --> training Job --> sealing Job --> bundle in the store
         |                                                   ^
         | is sealed as                                      |
         v                                                   |
    ModelVersion --- names the digest of the manifest -------+
         ^    ^
         |    +--- names it by uid and digests --- ModelApproval
         |
         | model (the newest approved) or modelVersion (that one)
         |
    ModelDeployment --> Service --> Pods of the version that serves
         ^                                |
         +--------- status.drift ---------+

A check says in a sentence what must hold; the first one that does not ends its chain.

Before a run trains (``training_run.checks.BEFORE_TRAINING``):
  - Both are there, and the dataset has exactly one source.
  - No feature is there twice, and the target is no feature.
  - Every gate, the run's and the policy's, names a metric that training measures.
  - The Jobs' tasks, which hold the spec, fit into ConfigMaps; etcd takes a larger run.
  - The deadline is longer than zero and shorter than presigned URLs live.
  - The policy lists a prefix of the dataset's URL.
  - The run asks for no weaker treatment of personal data than the policy allows.
  - What the dataset names exists.
  - Who owns what the dataset names offers it to runs, whose authors may not read it.

Before a run adopts a bundle that was sealed elsewhere
(``training_run.adoption.BEFORE_ADOPTION`` and ``AFTER_READING``):
  - The bundle is where this store has those of the run's model, by its digest.
  - Manifest, signature and report can be read; somebody may still bring them.
  - The bundle was sealed for this namespace and model: its digest holds nowhere else.
  - Each file in the store is the one that the manifest names.

Before what was sealed is read (``training_run.seal.BEFORE_READING``):
  - The sealing Job sealed what the training Job uploaded.
  - Manifest, signature bundle and report are there.

Before it becomes a ModelVersion (``training_run.seal.AFTER_READING``):
  - The manifest names this run's namespace, model, spec and dataset, and the Job's digests.
  - The sealed report clears the run's gates and the policy's floors.

What a ModelVersion must show today (``model_version.checks.TODAY``):
  - The version is what its signature says, by a key that the policy trusts.
  - The sealed report clears today's floors, and the packages today's rules.

Before a reviewer's decision counts (``model_version.approvals.CHAIN``):
  - The approval is of this ModelVersion, not of another that had its name.
  - All three digests are the version's.
  - An approver was shown what is shown now; whatever was shown, a denial or revocation counts.
  - An assessment is there where it is what was decided: signed, and with a reason.
  - The approver's key, or the API server through the identity policy, vouches for the name.
  - Nobody but the approver brings back an approval that was deleted: by signing another one.
  - Nobody approves or excuses what they asked for; deny or revoke it they may.
  - The same person's approval counts once; anew where the bytes were rolled back since.
  - The approval's end is still to come.

Why a version is never tried again (``model_deployment.checks.REJECTIONS``):
  - A reviewer has not denied the version.
  - A reviewer has not revoked the version, and its signer's key has not ended.
  - The key that signed the version was not revoked.
  - Hashing every byte today has not found one that differs.
  - No other bytes that served here have its label: their Pods would be one workload.

What else it must show before it starts, before it gets traffic, and as a rollback's target
(``model_deployment.checks.APPROVAL`` and ``VERIFICATION``):
  - Enough reviewers have approved the version for this ModelDeployment.
  - A ModelPolicy applies to the namespace.
  - The operator itself has hashed every byte and checked the signature just now.
  - The version's own conditions, which may lag, do not hold it up.

A rollout is followed in three files of ``model_deployment``: ``decide`` (what a reconcile does),
``triggers`` (what happened) and ``transitions`` (the table, and what it does to the record).
"""
