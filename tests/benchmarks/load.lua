-- Sends the requests of the file REQUESTS, one after the other; they stand there whole, NUL between them.
local requests, at = {}, 0
for each in io.open(os.getenv("REQUESTS"), "rb"):read("*a"):gmatch("%Z+") do
  requests[#requests + 1] = each
end
function request()
  at = at % #requests + 1
  return requests[at]
end
