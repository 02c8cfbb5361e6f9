"""Boards: what members read and write there, and what their keepers make of them."""

from __future__ import annotations

from typing import Final

from appliance.api import board_handlers as handlers
from appliance.api.account_handlers import admin_of
from appliance.api.row import Row, admin, anyone, member
from appliance.protocol import board, search

BOARD: Final[tuple[Row, ...]] = (
    member("GET", "/v1/boards", None, board.Boards,
           lambda box, call: box.boards.page(), "Every board."),
    admin("POST", "/v1/boards", board.NewBoard, board.Board,
          lambda box, call: box.boards.make(admin_of(call), call.body), "Make a board."),
    admin("PATCH", "/v1/boards/{board}", board.ChangeBoard, board.Board,
          lambda box, call: box.boards.change(admin_of(call), call.octets("board"), call.body),
          "Change a board, close it, open it again."),
    admin("DELETE", "/v1/boards/{board}", None, None,
          lambda box, call: box.boards.remove(admin_of(call), call.octets("board")),
          "Delete a board with all that stands in it."),
    member("GET", "/v1/boards/{board}/threads", None, board.Threads, handlers.threads,
           "Threads by their newest post, those before the number of one.", query=("before", "limit")),
    member("GET", "/v1/boards/{board}/threads/{thread}", None, board.Posts, handlers.posts,
           "Posts of a thread after a number, or the last ones before one.",
           query=("after", "before", "limit")),
    member("GET", "/v1/boards/{board}/posts/{post}", None, board.Versions,
           lambda box, call: box.board_pages.versions(call.octets("board"), call.octets("post")),
           "All that a post has said, signed."),
    member("POST", "/v1/boards/{board}/entries", board.Submit, board.Submitted,
           lambda box, call: box.board_posts.submit(call.member, call.octets("board"), call.body),
           "Post, edit, delete, moderate or tell applets something: what was signed says which."),
    member("GET", "/v1/boards/{board}/held", None, board.Held, handlers.held,
           "What waits for a moderator: for moderators all, for others their own.", query=("after", "limit")),
    member("GET", "/v1/boards/{board}/events", None, board.Notices, handlers.events,
           "Events for applets after a number.", query=("after", "limit")),
    member("GET", "/v1/search", None, search.Hits, handlers.search,
           "Posts that have all words of `q`, on one board or all.", query=("q", "board", "limit")),
    member("GET", "/v1/feeds", None, board.FeedLink,
           lambda box, call: box.feeds.link(call.member), "The secret part of one's feeds' addresses."),
    member("POST", "/v1/feeds", None, board.FeedLink,
           lambda box, call: box.feeds.renew(call.member), "A new one; addresses with the old one end."),
    anyone("GET", "/v1/feeds/{secret}/{board}", None, None, handlers.feed,
           "A board's newest posts as Atom, by a member's secret link."),
)  # fmt: skip
