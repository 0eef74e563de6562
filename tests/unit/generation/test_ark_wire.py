"""Ark's wire format: requests and responses."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.data.submit_requests import submit_request, with_parameters

from telecine_contracts.gateway import Reference
from telecine_contracts.generation import DeferralReason, FailureCode
from telecine_generation.provider.ark_errors import failure_code, sanitize_provider_text, user_message
from telecine_generation.provider.ark_wire import (
    Page,
    UnreadableResponse,
    create_body,
    create_outcome,
    read_page,
    read_task,
    url_expiry,
    without_text_commands,
)
from telecine_generation.provider.port import (
    Accepted,
    Ambiguous,
    Deferred,
    ProviderTask,
    ProviderUnavailable,
    Refused,
    SubmissionMark,
)
from telecine_generation.provider.task_search import TaskSearch

REQUEST = submit_request(seed=0)
FIRST = "https://pictures.example/first.png"
LAST = "https://pictures.example/last.png"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


def refused(
    code: str | None, message: str = "no", *, status: int = 400, headers: dict[str, str] | None = None
) -> Any:
    return create_outcome(status, headers or {}, body({"error": {"code": code, "message": message}}))


class TestRequest:
    def test_priced_fields_are_sent_and_empty_ones_are_not(self) -> None:
        assert create_body(REQUEST) == {
            "model": "doubao-seedance-1-0-pro-250528",
            "content": [{"type": "text", "text": "a lighthouse at dusk"}],
            "resolution": "720p",
            "ratio": "16:9",
            "duration": 5,
            "seed": 0,
            "watermark": False,
            "generate_audio": False,
            "safety_identifier": "mark-1",
        }

    def test_optional_fields_are_sent_when_set(self) -> None:
        chosen = {
            "camera_fixed": False,
            "generate_audio": True,
            "draft": True,
            "service_tier": "flex",
            "priority": 0,
        }
        request = replace(REQUEST, callback_url="https://us.example/c", expires_after=3600)
        assert create_body(with_parameters(request, **chosen)) == create_body(REQUEST) | chosen | {
            "callback_url": "https://us.example/c",
            "execution_expires_after": 3600,
        }

    def test_a_length_that_the_model_chooses_is_not_sent(self) -> None:
        chosen = with_parameters(REQUEST, duration=12, duration_chosen_by_model=True)
        assert create_body(chosen)["duration"] == -1

    def test_one_image_needs_no_role(self) -> None:
        image_only = with_parameters(REQUEST, prompt=None, image_url=FIRST, ratio=None)
        assert create_body(image_only)["content"] == [{"type": "image_url", "image_url": {"url": FIRST}}]
        assert "ratio" not in create_body(image_only)

    def test_two_images_have_roles(self) -> None:
        both = with_parameters(REQUEST, image_url=FIRST, last_frame_url=LAST)
        assert create_body(both)["content"][1:] == [
            {"type": "image_url", "image_url": {"url": FIRST}, "role": "first_frame"},
            {"type": "image_url", "image_url": {"url": LAST}, "role": "last_frame"},
        ]

    def test_references_have_the_role_of_their_type(self) -> None:
        references = tuple(
            Reference(type=kind, role=f"reference_{kind}", url=f"https://media.example/{kind}")
            for kind in ("image", "video", "audio")
        )
        assert create_body(with_parameters(REQUEST, references=references))["content"][1:] == [
            {
                "type": f"{kind}_url",
                f"{kind}_url": {"url": f"https://media.example/{kind}"},
                "role": f"reference_{kind}",
            }
            for kind in ("image", "video", "audio")
        ]

    @pytest.mark.parametrize(
        ("prompt", "sent"),
        [
            ("a cat --resolution 1080p --dur 12", "a cat —resolution 1080p —dur 12"),
            ("a cat ---rs 1080p", "a cat —rs 1080p"),
            ("a cat -- seed 5", "a cat — seed 5"),
            ("a cat --\u200bresolution 1080p -\u00ad-rs", "a cat —\u200bresolution 1080p —rs"),
            ("a cat --\u0131 \u2013\u2013\u017feed --\u212a", "a cat —\u0131 —\u017feed —\u212a"),
            ("一只猫--在雨中", "一只猫--在雨中"),
            ("well-known, 1990--2000, -5 degrees", "well-known, 1990--2000, -5 degrees"),
        ],
    )
    def test_a_prompt_cannot_contain_commands(self, prompt: str, sent: str) -> None:
        assert without_text_commands(prompt) == sent
        assert create_body(with_parameters(REQUEST, prompt=prompt))["content"][0]["text"] == sent


class TestAnswerToCreate:
    def test_a_success_is_accepted(self) -> None:
        assert create_outcome(200, {}, body({"id": "cgt-1", "safety_identifier": "x"})) == Accepted("cgt-1")

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"<html>fine</html>",
            b"[]",
            b"null",
            b'{"id": 7}',
            b'{"id": ""}',
            b'{"id": "a b"}',
            b'{"id": "cgt',
            b"\xff\xfe",
        ],
    )
    def test_an_unreadable_success_is_ambiguous(self, answer: bytes) -> None:
        assert create_outcome(200, {}, answer) == Ambiguous("unreadable_answer")

    @pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504, 599])
    def test_an_answer_without_a_clear_refusal_is_ambiguous(self, status: int) -> None:
        assert refused("InternalServiceError", status=status) == Ambiguous(f"http_{status}")

    @pytest.mark.parametrize(
        ("status", "provider_code", "code"),
        [
            (400, "MissingParameter", FailureCode.INVALID_REQUEST),
            (400, "InvalidParameter.duration", FailureCode.INVALID_REQUEST),
            (400, "InvalidParameter.TaskTypeConstraint", FailureCode.INVALID_REQUEST),
            (400, "InvalidImageURL.InvalidFormat", FailureCode.INVALID_REQUEST),
            (400, "InvalidEndpoint.ClosedEndpoint", FailureCode.PROVIDER_CONFIGURATION),
            (400, "SensitiveContentDetected.Violence", FailureCode.MODERATION_INPUT),
            (400, "InputTextSensitiveContentDetected", FailureCode.MODERATION_INPUT),
            (400, "InputImageSensitiveContentDetected.PrivacyInformation", FailureCode.MODERATION_INPUT),
            (400, "InputTextRiskDetection", FailureCode.MODERATION_INPUT),
            (401, "AuthenticationError", FailureCode.PROVIDER_CONFIGURATION),
            (401, "InvalidAccountStatus", FailureCode.PROVIDER_CONFIGURATION),
            (403, "AccountOverdueError", FailureCode.PROVIDER_CONFIGURATION),
            (403, "AccessDenied", FailureCode.PROVIDER_CONFIGURATION),
            (403, "OperationDenied.ServiceOverdue", FailureCode.PROVIDER_CONFIGURATION),
            (404, "InvalidEndpointOrModel.NotFound", FailureCode.PROVIDER_CONFIGURATION),
            (404, "InvalidEndpointOrModel.ModelIDAccessDisabled", FailureCode.PROVIDER_CONFIGURATION),
            (404, "ModelNotOpen", FailureCode.PROVIDER_CONFIGURATION),
            (404, "NotFound.Endpoint", FailureCode.PROVIDER_CONFIGURATION),
            (429, "SetLimitExceeded", FailureCode.PROVIDER_CONFIGURATION),
            (400, "NeverHeardOf", FailureCode.INVALID_REQUEST),
            (422, None, FailureCode.INVALID_REQUEST),
            (401, "NeverHeardOf", FailureCode.PROVIDER_CONFIGURATION),
            (404, None, FailureCode.PROVIDER_CONFIGURATION),
            (307, None, FailureCode.PROVIDER_CONFIGURATION),
        ],
    )
    def test_error_codes_map_to_failure_codes(
        self, status: int, provider_code: str | None, code: FailureCode
    ) -> None:
        outcome = refused(provider_code, status=status)
        assert isinstance(outcome, Refused)
        assert (outcome.code, outcome.provider_code) == (code, provider_code)

    @pytest.mark.parametrize(
        "provider_code",
        [
            "EndpointRPMExceeded",
            "EndpointTPMExceeded",
            "ModelAccountRpmRateLimitExceeded",
            "APIAccountRpmRateLimitExceeded",
            "AccountRateLimitExceeded",
            "RequestBurstTooFast",
            "ServerOverloaded",
            "InflightBatchsizeExceeded",
            "QuotaExceeded",
            "NeverHeardOf",
            None,
        ],
    )
    def test_rate_limiting_defers(self, provider_code: str | None) -> None:
        assert refused(provider_code, status=429) == Deferred(DeferralReason.RATE_LIMITED, provider_code)

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("7", 7.0),
            ("0.5", 0.5),
            ("99999", 3600.0),
            ("-1", None),
            ("nan", None),
            ("inf", None),
            ("soon", None),
        ],
    )
    def test_retry_after_is_parsed(self, header: str, seconds: float | None) -> None:
        outcome = refused("ServerOverloaded", status=429, headers={"retry-after": header})
        assert outcome == Deferred(DeferralReason.RATE_LIMITED, "ServerOverloaded", seconds)

    def test_a_used_up_trial_and_a_full_queue_are_distinguished_by_message(self) -> None:
        spent = refused("QuotaExceeded", "Your account has exhausted its free trial quota", status=429)
        full = refused("QuotaExceeded", "The number of queued tasks exceeds the limit", status=429)
        assert isinstance(spent, Refused) and spent.code is FailureCode.PROVIDER_CONFIGURATION
        assert isinstance(full, Deferred)

    def test_a_refusal_may_have_no_readable_body(self) -> None:
        outcome = create_outcome(400, {}, b"<html>")
        assert outcome == Refused(
            FailureCode.INVALID_REQUEST, None, "The video provider did not accept this request."
        )

    @given(status=st.integers(200, 599), answer=st.binary(max_size=60))
    def test_every_response_has_an_outcome(self, status: int, answer: bytes) -> None:
        assert isinstance(create_outcome(status, {}, answer), Refused | Deferred | Ambiguous | Accepted)


class TestMessages:
    def test_the_provider_explains_what_the_user_can_change(self) -> None:
        said = "The parameter `ratio` is not valid. Request id: 021789-ab_c"
        assert user_message(FailureCode.INVALID_REQUEST, said) == (
            "The video provider did not accept this request. The parameter `ratio` is not valid."
        )

    def test_operator_errors_are_hidden_from_the_user(self) -> None:
        said = "The account 2100 is overdue. Request id: 1"
        assert (
            user_message(FailureCode.PROVIDER_CONFIGURATION, said)
            == "Video generation is not available at the moment."
        )

    @given(st.text(max_size=2000))
    def test_text_is_short_and_on_one_line(self, text: str) -> None:
        tidy = sanitize_provider_text(text)
        assert tidy is None or (0 < len(tidy) <= 300 and tidy.isprintable())

    @pytest.mark.parametrize(
        ("text", "tidy"),
        [("no\n\x00 way (request_id=abc-1)", "no way"), ("Request id: 1", None), ("", None), (None, None)],
    )
    def test_request_ids_are_removed(self, text: str | None, tidy: str | None) -> None:
        assert sanitize_provider_text(text) == tidy

    @pytest.mark.parametrize(
        ("provider_code", "code"),
        [
            ("OutputVideoSensitiveContentDetected.PolicyViolation", FailureCode.MODERATION_OUTPUT),
            ("OutputAudioSensitiveContentDetected", FailureCode.MODERATION_OUTPUT),
            ("InputImageSensitiveContentDetected", FailureCode.MODERATION_INPUT),
            ("InvalidParameter", FailureCode.INVALID_REQUEST),
            ("InternalServiceError", FailureCode.PROVIDER_ERROR),
            ("ServerOverloaded", FailureCode.PROVIDER_ERROR),
            ("NeverHeardOf", FailureCode.PROVIDER_ERROR),
            (None, FailureCode.PROVIDER_ERROR),
        ],
    )
    def test_provider_error_codes_map_to_failure_codes(
        self, provider_code: str | None, code: FailureCode
    ) -> None:
        assert failure_code(provider_code, "text") is code


SIGNED = "https://f.example/v.mp4?X-Tos-Date=20261102T130000Z&X-Tos-Expires=86400&X-Tos-Signature=s"
RECORD: dict[str, Any] = {
    "id": "cgt-1",
    "model": "doubao-seedance-1-0-pro-250528",
    "status": "succeeded",
    "error": None,
    "created_at": int(NOON.timestamp()),
    "updated_at": int(NOON.timestamp()) + 60,
    "content": {"video_url": SIGNED, "last_frame_url": None},
    "seed": 7,
    "resolution": "720p",
    "ratio": "16:9",
    "duration": 5,
    "framespersecond": 24,
    "usage": {"completion_tokens": 108900, "total_tokens": 108900},
    "service_tier": "default",
    "safety_identifier": "mark-1",
}
TASK = ProviderTask(
    task_id="cgt-1",
    status="succeeded",
    model="doubao-seedance-1-0-pro-250528",
    seed=7,
    safety_identifier="mark-1",
    created_at=NOON,
    updated_at=NOON + timedelta(seconds=60),
    video_url=SIGNED,
    video_url_expires_at=NOON + timedelta(hours=25),
    resolution="720p",
    ratio="16:9",
    duration=5.0,
    total_tokens=108900,
)


class TestRecord:
    def test_a_complete_record_is_read(self) -> None:
        assert read_task(body(RECORD)) == TASK

    def test_numbers_may_be_strings(self) -> None:
        as_text = RECORD | {"duration": "5", "usage": {"total_tokens": "108900"}, "seed": "7"}
        assert read_task(body(as_text)) == TASK

    @pytest.mark.parametrize(
        "changed",
        [
            "1793620860",
            1793620860.0,
            "1793620860.0",
            1793620860000,
            "2026-11-02T12:01:00Z",
            "2026-11-02T20:01:00+08:00",
        ],
    )
    def test_times_have_several_forms(self, changed: Any) -> None:
        assert read_task(body(RECORD | {"updated_at": changed})) == TASK

    def test_null_and_absent_fields_are_the_same(self) -> None:
        bare = {"id": "cgt-1", "status": "succeeded"}
        nulls = dict.fromkeys(RECORD) | bare | {"failure_reason": None}
        assert read_task(body(nulls)) == read_task(body(bare)) == ProviderTask("cgt-1", "succeeded")
        inner = {"content": {"video_url": None}, "usage": {"total_tokens": None}, "error": {"code": None}}
        assert read_task(body(bare | inner)) == ProviderTask("cgt-1", "succeeded")

    @pytest.mark.parametrize("block", ["error", "failure_reason"])
    def test_a_failure_may_have_either_name(self, block: str) -> None:
        error = {
            "code": "OutputVideoSensitiveContentDetected",
            "message": "It may be sensitive. Request id: 1",
        }
        task = read_task(body({"id": "cgt-1", "status": "failed", block: error}))
        assert task == ProviderTask(
            task_id="cgt-1",
            status="failed",
            error_code="OutputVideoSensitiveContentDetected",
            error_message="It may be sensitive.",
            failure_code=FailureCode.MODERATION_OUTPUT,
            failure_message="The video was withheld by the provider's content filter. It may be sensitive.",
        )

    def test_a_failure_may_have_no_reason(self) -> None:
        task = read_task(body({"id": "cgt-1", "status": "failed"}))
        assert task.failure_code is FailureCode.PROVIDER_ERROR
        assert task.failure_message == "The video provider could not make this video."

    @pytest.mark.parametrize("status", ["expired", "cancelled", "queued", "running", "paused"])
    def test_other_states_are_passed_on_without_a_failure(self, status: str) -> None:
        assert read_task(body({"id": "cgt-1", "status": status.upper()})) == ProviderTask("cgt-1", status)

    @pytest.mark.parametrize(
        ("field", "odd", "missing"),
        [
            ("content", "no", {"video_url": None, "video_url_expires_at": None}),
            ("content", {"video_url": 5}, {"video_url": None, "video_url_expires_at": None}),
            ("content", {"video_url": "h" * 9000}, {"video_url": None, "video_url_expires_at": None}),
            ("seed", "many", {"seed": None}),
            ("usage", [], {"total_tokens": None}),
            ("usage", {"completion_tokens": 5}, {"total_tokens": 5}),
            ("usage", {"total_tokens": -1}, {"total_tokens": None}),
            ("created_at", 10**30, {"created_at": None}),
            ("created_at", {"when": "now"}, {"created_at": None}),
            ("created_at", 0, {"created_at": None}),
            ("created_at", "2026-11-02T12:00:00", {"created_at": None}),
            ("duration", "long", {"duration": None}),
            ("error", "bad", {}),
            ("status", 5, {"status": "unreadable"}),
            ("status", " ", {"status": "unreadable"}),
        ],
    )
    def test_an_invalid_field_does_not_affect_the_others(
        self, field: str, odd: Any, missing: dict[str, Any]
    ) -> None:
        assert read_task(body(RECORD | {field: odd})) == replace(TASK, **missing)

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"{}",
            b"[]",
            b'{"id": 1, "status": "queued"}',
            b"NaN",
            b"[" * 100_000,
            b'{"id": "a", "duration": NaN}',
        ],
    )
    def test_an_invalid_record_is_unreadable(self, answer: bytes) -> None:
        with pytest.raises(UnreadableResponse):
            read_task(answer)


class TestUrlExpiry:
    def test_url_expiry_is_read_from_its_signature(self) -> None:
        assert url_expiry(SIGNED, None) == NOON + timedelta(hours=25)

    @pytest.mark.parametrize(
        "url",
        [
            "https://f.example/v.mp4",
            "https://f.example/v.mp4?X-Tos-Date=yesterday&X-Tos-Expires=86400",
            "https://f.example/v.mp4?X-Tos-Date=20261102T130000Z&X-Tos-Expires=never",
            "https://f.example/v.mp4?X-Tos-Date=20261102T130000Z&X-Tos-Expires=99999999999999999999",
            "https://[f.example/v.mp4",
        ],
    )
    def test_url_expiry_defaults_to_a_day_after_the_last_update(self, url: str) -> None:
        assert url_expiry(url, NOON) == NOON + timedelta(hours=24)
        assert url_expiry(url, None) is None


class TestList:
    def test_a_page_has_records_and_a_total(self) -> None:
        assert read_page(body({"total": 9, "items": [RECORD]})) == Page(9, (TASK,), 0)

    def test_one_bad_record_does_not_hide_the_others(self) -> None:
        page = read_page(body({"total": "2", "items": [{"status": "queued"}, RECORD, 5]}))
        assert page == Page(2, (TASK,), 2)

    @pytest.mark.parametrize(
        "answer", [b'{"total": 0, "items": null}', b'{"total": "0"}', b'{"items": [], "error": null}']
    )
    def test_an_empty_list_may_be_null_where_total_is_zero(self, answer: bytes) -> None:
        assert read_page(answer).size == 0

    @pytest.mark.parametrize(
        "answer",
        [
            *(b"", b"{}", b"<html>", b'{"items": null}', b'{"items": {}}', b"[]"),
            b'{"total": 2, "items": null}',
            b'{"total": 0, "items": null, "error": {"code": "InternalServiceError"}}',
        ],
    )
    def test_an_invalid_page_is_unreadable(self, answer: bytes) -> None:
        with pytest.raises(UnreadableResponse):
            read_page(answer)


def listed(
    number: int, *, age: float = 0, seed: int | None = 0, identifier: str | None = None
) -> ProviderTask:
    return ProviderTask(
        f"cgt-{number}",
        "running",
        seed=seed,
        safety_identifier=identifier,
        created_at=NOON - timedelta(seconds=age),
    )


def page_of(*tasks: ProviderTask, total: int | None = 1000, unreadable: int = 0) -> Page:
    return Page(total, tasks, unreadable)


MARK = SubmissionMark(seed=42, safety_identifier="mark-1", model="m", since=NOON - timedelta(seconds=100))
BY_IDENTIFIER_ALONE = replace(MARK, seed=None)
SKEW = timedelta(seconds=50)


def search(mark: SubmissionMark, *pages: Page) -> tuple[ProviderTask | None, int]:
    """The result and the number of pages read."""
    search = TaskSearch(mark, SKEW)
    for number, page in enumerate(pages, 1):
        if search.add_page(page):
            return search.result(), number
    raise AssertionError("the search wants more pages")


class TestSearch:
    def test_found_by_identifier_despite_another_seed(self) -> None:
        task = listed(2, seed=9, identifier="mark-1")
        assert search(MARK, page_of(listed(1), task)) == (task, 1)

    def test_found_by_seed_without_an_echoed_identifier(self) -> None:
        task = listed(2, seed=42)
        assert search(MARK, page_of(listed(1)), page_of(task)) == (task, 2)

    def test_another_identifier_is_not_matched_by_seed(self) -> None:
        assert search(MARK, page_of(listed(1, seed=42, identifier="mark-2"), total=1)) == (None, 1)

    def test_absent_once_a_whole_page_is_too_old(self) -> None:
        pages = page_of(listed(1), listed(2, age=151)), page_of(listed(3, age=152), listed(4, age=153))
        assert search(MARK, *pages) == (None, 2)

    def test_clock_skew_is_tolerated(self) -> None:
        task = listed(2, seed=42, age=140)
        assert search(MARK, page_of(listed(1, age=130)), page_of(task)) == (task, 2)

    def test_no_early_end_in_a_list_that_is_not_newest_first(self) -> None:
        task = listed(3, seed=42)
        assert search(MARK, page_of(listed(1, age=900), listed(2, age=800)), page_of(task)) == (task, 2)

    def test_absent_at_the_end_of_the_list(self) -> None:
        assert search(MARK, page_of(listed(1), total=2), page_of(listed(2), total=2)) == (None, 2)
        assert search(MARK, page_of(total=0)) == (None, 1)

    def test_without_a_total_an_empty_page_is_the_end(self) -> None:
        assert search(MARK, page_of(listed(1), total=None), page_of(total=None)) == (None, 2)

    @pytest.mark.parametrize(
        ("mark", "pages"),
        [
            (MARK, [page_of(listed(1), total=5), page_of(total=5)]),
            (MARK, [page_of(listed(1), total=None), page_of(listed(1), total=None)]),
            (MARK, [page_of(listed(1), total=2, unreadable=1)]),
            (MARK, [page_of(listed(1, seed=None), total=1)]),
            (BY_IDENTIFIER_ALONE, [page_of(listed(1, seed=42), total=1)]),
        ],
        ids=[
            "ended early",
            "same page twice",
            "unreadable record",
            "no marks at all",
            "no identifier echoed",
        ],
    )
    def test_an_inconclusive_list_is_not_absence(self, mark: SubmissionMark, pages: list[Page]) -> None:
        with pytest.raises(ProviderUnavailable):
            search(mark, *pages)

    def test_old_records_without_marks_do_not_matter(self) -> None:
        assert search(MARK, page_of(listed(1), listed(2, age=500, seed=None), total=2)) == (None, 1)

    def test_a_task_is_found_despite_unreadable_records(self) -> None:
        task = listed(1, seed=42)
        assert search(MARK, page_of(task, unreadable=3)) == (task, 1)
