#pragma once
/* Inside ask: answers that several handlers give. */
#include "orchestrator/control/ask/ask.h"

#include "orchestrator/job/plan/plan.h"

/* page.c: a page of a list while it is filled; ->more: there is a row that it did not take */
#define CONTROL_PAGE_MAX 100
struct control_page {
	size_t limit, n;
	size_t bytes;
	bool more;
};
/* `asked` rows at most; 0: as many as is usual. */
struct control_page control_page(uint32_t asked, size_t usual);
/* Whether the row is one of the page: in order, until one is not. */
bool control_page_takes(struct control_page *page, const ProtobufCMessage *row);

/* machines.c: a page of the list of those that the client may see, and where the next begins ("": nowhere) */
struct control_machines {
	Control__Machine **list;
	size_t n;
	char *next;
};
struct control_machines control_machines_view(
        struct control_client *client, struct pool *pool, uint32_t limit, const char *after);
/* Its first page, which is the answer to whatever changes the list. */
void control_machines_answer(struct control_client *client, uint64_t id);

/* What the answer to a change shows is what is so now, also where the change was long ago. */
void control_holds_answer(struct control_client *client, uint64_t id);
void control_policies_answer(struct control_client *client, uint64_t id);
void control_rollout_answer(struct control_client *client, uint64_t id, int64_t rollout);
void control_release_answer(
        struct control_client *client, uint64_t id, const struct release_row *row);
void control_number_answer(
        struct control_client *client, const Control__Request *request, int64_t number);

/* releases.c: the directory of kits that lud uses; workers write to it, nobody else. The caller frees. */
char *control_store(struct control_client *client);

/* release.c: the release of a name; false: it was refused. */
bool control_release_find(struct control_client *client, uint64_t id, const char *service,
        const char *name, struct release_row *ret_row);
/* Whether this machine runs the release, by what it said last. */
bool control_release_runs_on(const struct machine *machine, const struct release_row *row);

/* jobs.c: what a request asks for, of one service; nothing is copied */
struct job_order control_update_order(const Control__UpdateRequest *update, struct machine *machine,
        const struct job_asked *asked);
struct job_order control_rollback_order(const Control__RollbackRequest *rollback,
        struct machine *machine, const struct job_asked *asked);
struct job_order control_rerandomize_order(const Control__RerandomizeRequest *request,
        struct machine *machine, const char *service, const struct job_asked *asked);

/* holds.c: whether the machine (0: all of them) has ever had the service; false: it was refused, as what would be about nothing. */
bool control_service_is_known(
        struct control_client *client, uint64_t id, int64_t machine, const char *service);

/* Refuses what is about a job that is not in the record: there never was one, or retention removed it. */
void control_refuse_job(struct control_client *client, uint64_t id, uint64_t job);

/* Of several services: what each is asked for by an order like this one, its service aside; ->n 0: of one. */
struct control_set {
	const struct job_order *order;
	char *const *services;
	size_t n;
	bool is_of_one; /* it says something that only one service can be asked for */
};
struct control_set control_update_set(
        const Control__UpdateRequest *update, const struct job_order *order);
struct control_set control_rollback_set(
        const Control__RollbackRequest *rollback, const struct job_order *order);
/* Fills ret->members, which has room for PLAN_SET_MAX, as they were named. False: it was refused. */
bool control_set_orders(struct control_client *client, const Control__Request *request,
        const struct control_set *ask, struct job_set_order *ret);

/* plan.c: whether a rerandomization is the one whose plan is expected; false: it was refused. */
bool control_plan_is_meant(
        struct control_client *client, const Control__Request *request, struct machine *machine);

/* job_wait.c: who asks, why, and under which id; texts are the request's */
struct job_asked control_asked(
        const struct control_client *client, const Control__Request *request);
/* Answers when what ->jobs holds is settled; detach: with what is known now */
void control_jobs_wait(struct control_wait *wait, bool detach);
void control_wait_job(struct control_client *client, uint64_t id, int64_t job, bool detach);
/* The answer to what was planned as `job`, or was not, by r and *failure. */
void control_planned(struct control_client *client, uint64_t id, int r,
        const struct failure *failure, int64_t job, bool detach);
/* Plans one order, of whatever kind, and answers when its job is settled; or why there is none. */
void control_order(
        struct control_client *client, uint64_t id, const struct job_order *order, bool detach);
