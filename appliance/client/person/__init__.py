"""The headless client of a person: an account opened from Python, with the same vault as the browser's."""

from appliance.client.person.boards import BoardPost as BoardPost
from appliance.client.person.core import Options as Options
from appliance.client.person.message import Contact as Contact
from appliance.client.person.message import File as File
from appliance.client.person.message import Message as Message
from appliance.client.person.person import Person as Person
