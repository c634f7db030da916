/** The ids of a task. */

/** The ids that name a task of the configured instance. */
export interface TaskIds {
  readonly organizationId: string;
  readonly workspaceId: string;
  readonly taskId: string;
}

/** The ids by their names in JSON. */
export interface WireIds {
  readonly organization_id: string;
  readonly workspace_id: string;
  readonly task_id: string;
}

/** Converts ids to their names in JSON. */
export function toWireIds({ organizationId, workspaceId, taskId }: TaskIds): WireIds {
  return { organization_id: organizationId, workspace_id: workspaceId, task_id: taskId };
}
