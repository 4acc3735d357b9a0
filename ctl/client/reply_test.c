/* Answers of lud to each request: the right kind, and every other one. */
#undef NDEBUG
#include "ctl/client/reply.h"

#include <assert.h>

static unsigned int n_kinds(Control__Request__BodyCase body)
{
	Control__ReleaseList releases = CONTROL__RELEASE_LIST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	Control__Reply reply = CONTROL__REPLY__INIT;
	unsigned int n = 0;

	request.body_case = body;
	releases.n_releases = 1;
	for (unsigned int i = 0; i < control__reply__descriptor.n_fields; i++) {
		unsigned int id = control__reply__descriptor.fields[i].id;

		if (id == CONTROL__REPLY__BODY_ERROR ||
		        id == control__reply__descriptor.fields[0].id) {
			continue;
		}
		reply.body_case = (Control__Reply__BodyCase)id;
		if (id == CONTROL__REPLY__BODY_RELEASES) {
			reply.releases = &releases;
		}
		n += reply_answers(&request, &reply);
	}
	reply.body_case = CONTROL__REPLY__BODY_ERROR;
	assert(reply_answers(&request, &reply));
	reply.body_case = CONTROL__REPLY__BODY__NOT_SET;
	assert(!reply_answers(&request, &reply));
	return n;
}

static void test_done(void)
{
	static const Control__Request__BodyCase done[] = {CONTROL__REQUEST__BODY_RELEASE_CLEAR,
	        CONTROL__REQUEST__BODY_LOG_FOLLOW, CONTROL__REQUEST__BODY_JOB_SIGN,
	        CONTROL__REQUEST__BODY_MACHINE_TIME};
	Control__Request request = CONTROL__REQUEST__INIT;
	Control__Reply reply = CONTROL__REPLY__INIT;

	reply.body_case = CONTROL__REPLY__BODY_DONE;
	for (unsigned int i = 0; i < sizeof(done) / sizeof(done[0]); i++) {
		request.body_case = done[i];
		assert(reply_answers(&request, &reply));
	}
}

/* Every request has answers of its own, one kind or two. */
int main(void)
{
	const ProtobufCMessageDescriptor *requests = &control__request__descriptor;

	for (unsigned int i = 0; i < requests->n_fields; i++) {
		uint32_t id = requests->fields[i].id;
		unsigned int n;

		if (requests->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
			n = n_kinds((Control__Request__BodyCase)id);
			assert(n >= 1 && n <= 2);
		}
	}
	assert(n_kinds(CONTROL__REQUEST__BODY__NOT_SET) == 0);
	test_done();
	return 0;
}
