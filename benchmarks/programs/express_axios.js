// Express with axios, with connections that are kept. Arguments: port, upstream.
const http = require('node:http');
const axios = require('axios');
const express = require('express');

const [port, target] = process.argv.slice(2);
const client = axios.create({
  baseURL: target,
  httpAgent: new http.Agent({ keepAlive: true }),
  validateStatus: () => true,
});
const app = express();
app.use(express.json());
app.use(async (request, response) => {
  const answer = await client.request({
    method: request.method,
    url: request.originalUrl,
    data: request.body,
    headers: { authorization: 'Bearer a-fixed-token' },
  });
  response.status(answer.status).json(answer.data);
});
app.listen(port, '127.0.0.1');
