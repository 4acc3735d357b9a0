#pragma once
/* Inside ask: answers that several handlers give. */
#include "orchestrator/control/ask/ask.h"

#include "orchestrator/job/plan/plan.h"

/* machines.c: the list of all machines, which is the answer to whatever changes it */
void control_machines_answer(struct control_client *client, uint64_t id);

/* job_wait.c: who asks, why, and under which id; texts are the request's */
struct job_asked control_asked(
        const struct control_client *client, const Control__Request *request);
/* Answers when what ->jobs holds is settled; detach: with what is known now */
void control_jobs_wait(struct control_wait *wait, bool detach);
void control_wait_job(struct control_client *client, uint64_t id, int64_t job, bool detach);
/* Plans one order, of whatever kind, and answers when its job is settled; or why there is none. */
void control_order(
        struct control_client *client, uint64_t id, const struct job_order *order, bool detach);
