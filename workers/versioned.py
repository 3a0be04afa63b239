"""The version of our workers, as Temporal is told of it."""

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

from infra.settings import Settings


def versioned(settings: Settings) -> WorkerDeploymentConfig | None:
    """The version as which the workers of this process take tasks.

    Workflows change to the next version with their next task: all of them may outlive several versions, and what they
    have done under one must replay under the next. (A worker without a version is refused by the server when a
    workflow's definition names a behaviour, so that the worker names it for all.)
    """
    if settings.worker_build is None:
        return None
    version = WorkerDeploymentVersion(settings.worker_deployment, settings.worker_build)
    return WorkerDeploymentConfig(
        version=version,
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )
