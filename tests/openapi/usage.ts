// What a frontend does with the contract, in the types that openapi-typescript makes of it. It is checked and never run.

import createClient, { type Middleware } from "openapi-fetch";

import type { components, operations, paths } from "./contract";

type Problem = components["schemas"]["Problem"];
type FieldCode = components["schemas"]["FieldCode"];
type Post = components["schemas"]["Post"];

// A list of values is one parameter, its values separated by commas.
const querySerializer = { array: { style: "form", explode: false } } as const;
const api = createClient<paths>({ baseUrl: "https://postledger.example", credentials: "include", querySerializer });

// The token goes along with everything that changes something.
const csrf = (token: string): Middleware => ({
    onRequest({ request }) {
        request.headers.set("X-CSRF-Token", token);
        return request;
    },
});

// One function tells people of every refusal, whatever was called.
function tell(problem: Problem): string {
    const fields = (problem.errors ?? []).map((error) => `${error.pointer}: ${error.detail}`);
    return [problem.detail, ...fields].join("\n");
}

// Each code is a name that the compiler knows.
const nextToTheField: Partial<Record<FieldCode, string>> = { text_empty: "Write something.", phone_invalid: "Check the number." };

export async function signIn(phone: string, code: string): Promise<string> {
    const asked = await api.POST("/api/verification-codes", { body: { phone } });
    if (asked.error) return tell(asked.error);
    const resendAfter: string = asked.data.resend_after;

    const { data, error, response } = await api.POST("/api/verify-code", { body: { phone, code } });
    if (error) {
        if (error.code === "too_many_requests") return `Again in ${response.headers.get("Retry-After")} s, or after ${resendAfter}.`;
        return error.errors?.map((field) => nextToTheField[field.code] ?? field.detail).join(" ") ?? tell(error);
    }
    api.use(csrf(data.csrf_token));
    return data.user.subscription_plan ?? "no plan";
}

export async function plan(code: string): Promise<number> {
    const { data, error } = await api.POST("/api/redeem-gift", { body: { code } });
    if (error) throw new Error(tell(error));
    return data.quota.remaining_posts;
}

export async function write(content: string, connection_id: string): Promise<Post[]> {
    const { data, error } = await api.POST("/api/posts", {
        params: { header: { "Idempotency-Key": crypto.randomUUID() } },
        body: {
            content,
            targets: [{ connection_id }, { connection_id, content: "Another text." }],
            scheduled_local: "2026-12-24T07:00:00",
            time_zone: "Australia/Brisbane",
        },
    });
    if (error) throw new Error(tell(error));
    return data.items;
}

export async function everyPost(): Promise<Post[]> {
    const all: Post[] = [];
    let cursor: string | undefined;
    do {
        const { data, error } = await api.GET("/api/posts", {
            params: { query: { limit: 100, status: ["failed", "missed"], order: "desc", platform: "x", ...(cursor && { cursor }) } },
        });
        if (error) throw new Error(tell(error));
        all.push(...data.items);
        cursor = data.next_cursor ?? undefined;
    } while (cursor);
    return all;
}

export async function change(post: Post): Promise<string> {
    const params = { path: { id: post.id }, header: { "If-Match": `"${post.version}"` } };
    const { data, error } = await api.PATCH("/api/posts/{id}", { params, body: { content: "Fresh bread from eight." } });
    if (error) {
        switch (error.code) {
            case "stale_version":
                return "Somebody was faster.";
            case "post_in_flight":
                return "It is on its way.";
            default:
                return tell(error);
        }
    }
    return data.error ? `${data.error.message} (${data.error.action})` : data.scheduled_for;
}

export async function approve(id: string): Promise<Post> {
    const { data, error } = await api.POST("/api/posts/{id}/approve", { params: { path: { id } } });
    if (error) throw new Error(tell(error));
    return data;
}

export async function decide(id: string): Promise<void> {
    const params = { path: { id } };
    const retried = await api.POST("/api/posts/{id}/retry", { params, body: { scheduled_for: "2026-12-24T09:00:00+10:00" } });
    if (retried.error) throw new Error(tell(retried.error));
    const resolved = await api.POST("/api/posts/{id}/resolve", { params, body: { outcome: "published", url: "https://x.com/demo/status/1" } });
    if (resolved.error) throw new Error(tell(resolved.error));
    const removed = await api.DELETE("/api/posts/{id}", { params });
    if (removed.error) throw new Error(tell(removed.error));
}

export async function story(id: string): Promise<string[]> {
    const { data, error } = await api.GET("/api/posts/{id}", { params: { path: { id } } });
    if (error) throw new Error(tell(error));
    const numbers = await api.GET("/api/posts/{id}/analytics", { params: { path: { id } } });
    const shown: number | null | undefined = numbers.data?.impressions;
    return [...data.events.map((event) => `${event.from ?? "new"} → ${event.to}`), String(shown ?? "not told")];
}

export async function firstPage(): Promise<string[]> {
    const session = await api.POST("/api/establish-session");
    if (session.error) return [tell(session.error)];
    const { data, error } = await api.GET("/api/user/status");
    if (error) return [tell(error)];
    return data.connections.map((connection) => `${connection.username}: ${connection.health}`);
}

export async function file(): Promise<string> {
    const { data, error } = await api.GET("/api/export/posts.csv", { parseAs: "text" });
    if (error) throw new Error(tell(error));
    return data;
}

// Every answer that is a refusal is a problem, of every call: there is no second kind of error.
type Refusal<T> = T extends { responses: infer R } ? { [S in keyof R]: S extends 200 | 201 | 202 | 204 | 303 ? never : R[S] }[keyof R] : never;
type Body<T> = T extends { content: infer C } ? C : never;
type Kinds<C> = C extends unknown ? keyof C : never;
type Only<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

type AllRefusals = { [O in keyof operations]: Refusal<operations[O]> }[keyof operations];
export const oneMediaType: Only<Kinds<Body<AllRefusals>>, "application/problem+json"> = true;
export const oneErrorType: Body<AllRefusals> extends { "application/problem+json": Problem } ? true : false = true;
